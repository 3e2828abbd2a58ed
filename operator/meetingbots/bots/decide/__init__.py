"""Decides what a MeetingBot needs next. Pure functions; time is an argument."""

"""Decides how events and listings change a MeetingMapping. Pure functions; time is an argument."""

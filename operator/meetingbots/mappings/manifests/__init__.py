"""Builds MeetingMapping objects and their patches. Pure functions."""

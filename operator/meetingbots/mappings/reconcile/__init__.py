"""Keeps MeetingMappings up to date with Zoom's listings and removes expired ones."""

"""MeetingMappings: which credentials may create a join token for a meeting."""

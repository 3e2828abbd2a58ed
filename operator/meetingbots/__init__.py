"""MeetingBots: Zoom OAuth credentials, meeting mappings and join tokens for meeting bots on Kubernetes."""

__version__ = "0.1.0"

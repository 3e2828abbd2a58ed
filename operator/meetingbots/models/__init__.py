"""Pydantic models of ZoomCredential, MeetingMapping and MeetingBot (API group meetingbots.dev, v1alpha1)."""

"""Zoom's webhooks: signatures and events."""

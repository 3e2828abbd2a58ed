"""ZoomCredentials: consents, their tokens, and their state."""

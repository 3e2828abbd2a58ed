"""The receiver: Zoom's webhooks come in from the internet and become meeting mappings. It holds no token."""

"""A company's network for tests: its own certificate authority, and a proxy as the only way to Zoom."""

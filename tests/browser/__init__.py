"""The connect pages in a real browser: Debian's Chromium, driven by Playwright, against the simulator of Zoom."""

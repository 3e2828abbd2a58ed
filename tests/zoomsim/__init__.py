"""Zoom simulator: the part of Zoom that this project talks to, strict on purpose, with faults on demand."""

"""Decides what a ZoomCredential needs next. Pure functions; time is an argument."""

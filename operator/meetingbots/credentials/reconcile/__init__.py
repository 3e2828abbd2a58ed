"""Reconciles ZoomCredentials: gather, decide, apply."""

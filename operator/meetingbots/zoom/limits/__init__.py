"""Keeps calls within Zoom's rate limits."""

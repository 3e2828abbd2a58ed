"""Hands out access tokens to the code that calls Zoom for a credential."""

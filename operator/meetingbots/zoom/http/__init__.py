"""Sends requests to Zoom and classifies the responses."""

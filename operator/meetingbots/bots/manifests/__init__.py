"""Builds and reads a bot's Pod and its join-token Secret. Pure functions."""

"""Encodes and decodes the Secrets of credentials. Pure functions."""

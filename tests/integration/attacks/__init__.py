"""Attacks of one tenant on the others, on a real API server with operator and receiver as they ship."""

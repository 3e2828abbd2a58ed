"""Serves a running bot that needs another join token."""

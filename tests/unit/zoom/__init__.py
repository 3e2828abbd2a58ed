"""Tests of the Zoom client, without a network but the loopback."""

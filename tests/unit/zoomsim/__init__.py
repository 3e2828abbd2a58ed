"""Tests of the Zoom simulator: each of its rules, so that tests that rely on it rest on something."""

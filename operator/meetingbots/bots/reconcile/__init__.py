"""Reconciles MeetingBots: gather, decide, apply."""

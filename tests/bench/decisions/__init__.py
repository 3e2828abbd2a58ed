"""Figures for the decision records: what our own piece costs or saves, beside the alternative."""

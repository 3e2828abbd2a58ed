"""Operators, receivers, API server and Zoom fail at random for minutes; then rules that must hold are checked.

`make soak` runs it. A seed draws the bots, meetings and faults; `SEED=` draws the same ones again.
"""

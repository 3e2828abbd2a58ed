"""Mappings at size: look-ups, memory, syncs, and the receiver's events beside a bare loop of the same requests."""

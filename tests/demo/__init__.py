"""`make demo`: the main job for real, from a consent to a bot that records, with the real objects shown on the way."""

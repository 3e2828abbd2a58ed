"""`make demo`: the whole way from a consent to a bot that records, with the real objects."""

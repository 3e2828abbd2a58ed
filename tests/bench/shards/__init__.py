"""A burst by one operator, and the same burst divided between two shards."""

"""The connect pages, on which a person gives consent in a browser."""

"""Measures the product: `make bench`."""

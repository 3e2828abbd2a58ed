"""Requests to addresses that a customer wrote down: they go to no place that the customer could not reach alone."""

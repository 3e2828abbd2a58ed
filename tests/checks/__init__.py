"""Programs behind `make check` and the commit hooks."""

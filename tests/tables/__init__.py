"""Tables in the docs that are made from the code: `python -m tests.tables` writes them, a test compares them."""

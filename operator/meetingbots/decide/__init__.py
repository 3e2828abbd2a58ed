"""Pure functions from what is so to what is to be done; time is an argument, nothing is read or written."""

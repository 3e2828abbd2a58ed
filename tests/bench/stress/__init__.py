"""Twenty thousand events while the API server restarts and receivers are killed."""

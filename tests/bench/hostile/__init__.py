"""Token delay and webhook answers of a tenant, beside a hostile one and without it."""

"""Ten thousand credentials on one operator: how their renewals spread, and what a restart costs."""

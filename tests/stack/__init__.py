"""The whole product on a test cluster: operator and receiver as real processes with the rights that they will have."""

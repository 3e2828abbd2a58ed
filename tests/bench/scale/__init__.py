"""What mappings, credentials and bots cost at size: API server, etcd, controller manager, operator, receiver."""

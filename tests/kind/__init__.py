"""Real clusters for tests: kind on Docker or podman, with kind's published node image or one of our own.

Our own is for machines that reach no image registry: Debian's packages make the node's file system, Go modules what
runs on it (`node/`). Whatever took long is kept, by version, in the cache folder and in the engine's storage.
"""

"""Flux's kustomize-controller in a kind cluster, with commits that need no Git server: what end-to-end tests apply."""

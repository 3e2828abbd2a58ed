"""Pure construction of Kubernetes objects: Pods, Secrets, mappings, CRDs."""

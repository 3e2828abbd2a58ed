"""The Helm chart checked from outside: values, rights, schemas, and installs on a real API server."""

"""Zoom, as this project talks to it: tokens, the REST API, webhooks and meeting links. It knows no Kubernetes."""

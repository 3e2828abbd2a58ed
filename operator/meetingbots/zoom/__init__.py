"""Client for Zoom: OAuth, REST API, webhooks and meeting links. It does not depend on Kubernetes."""

"""A small asynchronous Kubernetes client: the few calls this operator makes, and no more.

Objects go in and come out as plain dicts, as the API server sends them; typed models are made a layer above.
Knows nothing of Zoom.
"""

"""A small asynchronous Kubernetes client with the calls that this project makes.

Objects are plain dicts, as the API server sends them; the layers above make models of them.
"""

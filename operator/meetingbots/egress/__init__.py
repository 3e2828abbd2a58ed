"""Requests to addresses that a tenant wrote down, guarded against server-side request forgery (SSRF)."""

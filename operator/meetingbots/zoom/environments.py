"""Zoom's separate environments: Zoom itself and Zoom for Government, each with its own accounts, apps and addresses."""

from __future__ import annotations

import enum
from typing import Final

DEFAULT_OAUTH_URL: Final = "https://zoom.us/oauth"
DEFAULT_API_URL: Final = "https://api.zoom.us/v2"


class Environment(enum.StrEnum):
    """Where an app is registered; the values of key ``environment`` in an app's Secret."""

    ZOOM = "zoom.us"
    GOVERNMENT = "zoomgov.com"

    @classmethod
    def named(cls, text: str) -> Environment | None:
        """Return the environment with that name, in any case and with a scheme or subdomain; None for another name."""
        name = text.strip().lower().removeprefix("https://").rstrip("/")
        if not name:
            return cls.ZOOM
        return next((one for one in cls if name == one or name.endswith(f".{one}")), None)

    def oauth_url(self, *, configured: str = DEFAULT_OAUTH_URL) -> str:
        """Return the base of the OAuth endpoints. A configured address other than the default serves all apps."""
        configured = configured.rstrip("/")
        return f"https://{self}/oauth" if configured == DEFAULT_OAUTH_URL else configured

    def api_url(self) -> str:
        """Return the REST API's host, as Zoom's ``api_url`` names it."""
        return f"https://api.{self}"

"""Zoom's domains and host names (Zoom, Network settings; Zoom X in Germany, Zoom in China, Zoom for Government)."""

from __future__ import annotations

import re
from typing import Final

COMMON_DOMAIN: Final = "zoom.us"
DOMAINS: Final = (COMMON_DOMAIN, "zoom.com", "zoomgov.com", "zoom-x.de", "zoom.com.cn")
_SUBDOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,4}")
_SHARED: Final = re.compile(r"(?:www\.|app\.|[a-z]{2}[0-9]{2}web\.)?")


def zoom_domain(host: str) -> str | None:
    """Return the domain of Zoom's that a host name (lower case) belongs to; None for any other host."""
    for domain in DOMAINS:
        if host.endswith(domain) and _SUBDOMAIN.fullmatch(host.removesuffix(domain)):
            return domain
    return None


def serve_same_users(first: str, second: str) -> bool:
    """Return whether two hosts may show the same user's personal link.

    Customers have hosts of their own (``acme.zoom.us``). Hosts such as ``zoom.us``, ``www``, ``app`` and ``us02web``
    are Zoom's own and serve the users of all customers of that domain.
    """
    first_domain, second_domain = _service(first), _service(second)
    if first_domain is None or first_domain != second_domain:
        return False
    return first == second or _is_shared(first) or _is_shared(second)


def _service(host: str) -> str | None:
    domain = zoom_domain(host)
    return COMMON_DOMAIN if domain == "zoom.com" else domain


def _is_shared(host: str) -> bool:
    domain = zoom_domain(host)
    return domain is not None and _SHARED.fullmatch(host.removesuffix(domain)) is not None

"""The link back to the platform that sent the visitor, if its host is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from meetingbots.models.credential import ZoomCredential
from meetingbots.receiver.connect.pages import PageLink


def return_link(credential: ZoomCredential, *, hosts: Collection[str]) -> tuple[PageLink, ...]:
    """Return the link of the credential's `returnURL`, or nothing where its host is not one of `hosts`."""
    connect = credential.spec.grant.connect
    url = connect.return_url if connect is not None else None
    host = allowed_host(url or "", hosts=hosts)
    return (PageLink(href=url, label=f"Back to {host}"),) if url and host else ()


def allowed_host(url: str, *, hosts: Collection[str]) -> str:
    """Return the host of an https URL if it is one of `hosts`, else an empty string.

    Rejects user parts and unusual characters. A port other than 443 must be allowed together with the host, as in
    `app.example:8443`.
    """
    if not re.fullmatch(r"https://[!-~]+", url) or "\\" in url:
        return ""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    place = host if port in (None, 443) else f"{host}:{port}"
    plain = parts.netloc.lower() in (host, f"{host}:{port}")
    return place if plain and place in hosts else ""

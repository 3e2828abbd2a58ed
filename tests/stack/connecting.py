"""Grant connect for a test's customer: an app that knows the redirect URI, a credential, and its link."""

from __future__ import annotations

from tests.stack.tenant import Tenant


def prepare(customer: Tenant, *, public_url: str) -> None:
    """The customer's app knows our redirect URI, and its Secret is there."""
    uris = [f"{public_url}/oauth/callback"]
    customer.app = customer.zoom.change_app(customer.app.client_id, redirect_uris=uris)
    customer.app_secret()


def invite(customer: Tenant, name: str = "alice", **connect: str) -> str:
    """Apply a credential with grant connect; gives its link."""
    customer.credential(name, grant={"connect": connect})
    customer.wait_reason("zoomcredentials", name, "WaitingForConsent")
    return link_of(customer, name)


def link_of(customer: Tenant, name: str = "alice") -> str:
    """The link in the credential's status, once it is there."""
    customer.wait("the link", lambda: "connectURL" in customer.status("zoomcredentials", name))
    return str(customer.status("zoomcredentials", name)["connectURL"])

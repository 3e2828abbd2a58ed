"""The objects of the burst, as people would write them."""

import base64
from typing import Any

from tests.bench.burst.zoom import Customer, Customers

Object = dict[str, Any]
API_VERSION = "meetingbots.dev/v1alpha1"
OURS = "/apis/meetingbots.dev/v1alpha1/namespaces"


def _ours(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def secret(name: str, **values: str) -> Object:
    """A Secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def app_secret(customers: Customers) -> Object:
    """The app's Secret."""
    app = customers.app
    return secret("zoom-app", client_id=app.client_id, client_secret=app.client_secret)


def credential(customer: Customer) -> Object:
    """A credential with the whole limit of a Business account, and without a sync."""
    return _ours(
        "ZoomCredential",
        customer.credential,
        {
            "appSecretRef": {"name": "zoom-app"},
            "grant": {"refreshToken": {"secretKeyRef": {"name": customer.credential, "key": "refresh_token"}}},
            "rateLimit": {"plan": "Business", "sharePercent": 100},
            "meetingSync": {"enabled": False},
        },
    )


def mapping(meeting: str, customer: Customer) -> Object:
    """The mapping of a meeting to the customer's credential."""
    return _ours("MeetingMapping", meeting, {"meetingId": meeting, "credentials": [{"name": customer.credential}]})


def bot(number: int, meeting: str, *, join_at: str, lead: int) -> Object:
    """A bot with a small template."""
    container = {
        "name": "bot",
        "image": "registry.example/bot:1",
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "args": ["--meeting", "$(ZOOM_MEETING_ID)"],
    }
    return _ours(
        "MeetingBot",
        f"bot-{number}",
        {
            "meeting": {"url": f"https://zoom.us/j/{meeting}?pwd=open"},
            "joinAt": join_at,
            "leadSeconds": lead,
            "template": {"spec": {"containers": [container]}},
        },
    )

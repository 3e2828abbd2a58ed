"""The interface of a cluster that the demo runs on, and access to its objects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.cluster.api import Api, wait_until

ROOT = Path(__file__).resolve().parents[2]
GROUP = "/apis/meetingbots.dev/v1alpha1"


class Place(Protocol):
    """A cluster with the product on it, and a namespace for the customer."""

    @property
    def namespace(self) -> str:
        """Where the customer's objects are."""
        ...

    @property
    def api(self) -> Api:
        """Client as administrator."""
        ...

    @property
    def limit_seconds(self) -> float:
        """How long to wait for something that should happen at once."""
        ...

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl. Returns its output."""
        ...

    def logs(self, pod: str, container: str) -> str:
        """The log of a container in the namespace."""
        ...

    def webhook_url(self, client_id: str) -> str:
        """The app's event notification endpoint, as Zoom reaches it."""
        ...


class Objects:
    """The customer's objects in a place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def get(self, plural: str, name: object) -> dict[str, Any] | None:
        """An object of our kinds, or None."""
        return self._place.api.get(f"{GROUP}/namespaces/{self._place.namespace}/{plural}/{name}")

    def status(self, plural: str, name: object, key: str) -> Any:
        """A field of its status."""
        return (self.get(plural, name) or {}).get("status", {}).get(key)

    def condition(self, plural: str, name: str, kind: str) -> dict[str, Any]:
        """A condition of it; empty if there is none."""
        found = self.status(plural, name, "conditions") or []
        return next((item for item in found if item["type"] == kind), {})

    def secret(self, name: object) -> dict[str, Any] | None:
        """A Secret."""
        return self._place.api.get(f"/api/v1/namespaces/{self._place.namespace}/secrets/{name}")

    def apply(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """Apply a Secret or a ConfigMap."""
        path = f"/api/v1/namespaces/{self._place.namespace}/{kind.lower()}s/{name}"
        self._place.api.apply(path, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **body})

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until it holds; TimeoutError naming `what`."""
        wait_until(holds, what=what, limit_seconds=self._place.limit_seconds)

"""The resources that this project uses, and their paths on the API server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from meetingbots.kube.errors import NotFoundError
from meetingbots.models import names


@dataclass(frozen=True)
class Resource:
    """One kind of object as the API server names it (Kubernetes API concepts, "Resource URIs")."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """``group/version``, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of its sub-resource.

        Raises `NotFoundError` for a name that no object can have: a name from a spec must not change the path.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment(name))
        if subresource is not None:
            parts.append(subresource)
        return "/" + "/".join(parts)


def _segment(name: str) -> str:
    # Kubernetes, "Object Names and IDs": a name may not be "." or ".." and may not contain "/" or "%".
    if name in ("", ".", "..") or "/" in name or "%" in name:
        raise NotFoundError("no object can have this name", status=404, reason="NotFound")
    return quote(name, safe="")


PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CREDENTIALS = Resource(names.GROUP, names.VERSION, "zoomcredentials", "ZoomCredential")
MAPPINGS = Resource(names.GROUP, names.VERSION, "meetingmappings", "MeetingMapping")
BOTS = Resource(names.GROUP, names.VERSION, "meetingbots", "MeetingBot")

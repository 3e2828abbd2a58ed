"""The resources that the operator talks about, and their paths on the API server."""

from __future__ import annotations

from dataclasses import dataclass

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
        """The URL path of the collection, of one object, or of its sub-resource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/" + "/".join(parts)


PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CREDENTIALS = Resource(names.GROUP, names.VERSION, "zoomcredentials", "ZoomCredential")
MAPPINGS = Resource(names.GROUP, names.VERSION, "meetingmappings", "MeetingMapping")
BOTS = Resource(names.GROUP, names.VERSION, "meetingbots", "MeetingBot")

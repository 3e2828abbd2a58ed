"""Paths on the API server, which no name from a spec may lead elsewhere."""

from __future__ import annotations

import pytest
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import BOTS, EVENTS, PODS, SECRETS
from yarl import URL


def test_paths() -> None:
    assert PODS.path(namespace="ns") == "/api/v1/namespaces/ns/pods"
    assert PODS.path(namespace=None) == "/api/v1/pods"
    assert SECRETS.path(namespace="ns", name="a.b") == "/api/v1/namespaces/ns/secrets/a.b"
    assert EVENTS.path(namespace="ns") == "/apis/events.k8s.io/v1/namespaces/ns/events"
    assert (
        BOTS.path(namespace="ns", name="b", subresource="status")
        == "/apis/meetingbots.dev/v1alpha1/namespaces/ns/meetingbots/b/status"
    )
    assert (PODS.api_version, BOTS.api_version) == ("v1", "meetingbots.dev/v1alpha1")


@pytest.mark.parametrize("name", ["", ".", "..", "../../other/secrets/x", "a/b", "%2e%2e", "a%2Fb"])
def test_a_name_that_no_object_can_have_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        SECRETS.path(namespace="ns", name=name)
    with pytest.raises(NotFoundError):
        SECRETS.path(namespace=name, name="x")


@pytest.mark.parametrize("name", ["a?watch=1", "a#b", "a b", "ä", "a\\b", "a\nb", "..;"])
def test_odd_names_stay_one_segment(name: str) -> None:
    url = URL("https://server" + SECRETS.path(namespace="ns", name=name))
    assert url.parts == ("/", "api", "v1", "namespaces", "ns", "secrets", name)
    assert not url.query_string
    assert not url.fragment

"""Releases of one cluster do not interfere with each other."""

from typing import Any

import pytest

from tests.chart.rendering import Helm, Object, only

SECOND: dict[str, Any] = {"crds": {"enabled": False}}


def names(objects: list[Object]) -> set[tuple[str, str, str]]:
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in objects}


def rendered(helm: Helm, *, release: str, namespace: str, values: dict[str, Any] | None = None) -> list[Object]:
    return helm.template((values or {}) | SECOND, release=release, namespace=namespace)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "space-a"), ("b", "space-b"), id="other name, other namespace"),
        pytest.param(("meetingbots", "space-a"), ("meetingbots", "space-b"), id="same name, other namespace"),
        pytest.param(("b-meetingbots", "a"), ("meetingbots", "a-b"), id="names that are the same once joined"),
    ],
)
@pytest.mark.parametrize(
    "values", [{}, {"watch": {"namespaces": ["shared"]}}], ids=["cluster", "same namespace served"]
)
def test_two_releases_share_no_name(
    helm: Helm, one: tuple[str, str], other: tuple[str, str], values: dict[str, Any]
) -> None:
    first = rendered(helm, release=one[0], namespace=one[1], values=values)
    second = rendered(helm, release=other[0], namespace=other[1], values=values)
    assert not names(first) & names(second)


def test_two_releases_in_one_namespace_share_the_roles_for_what_is_there_once(helm: Helm) -> None:
    """Helm refuses an object of another release, so that two operators never write one Secret."""
    shared = names(rendered(helm, release="a", namespace="space")) & names(
        rendered(helm, release="b", namespace="space")
    )
    assert {name for _, _, name in shared} == {"meetingbots-operator-system", "meetingbots-receiver-system"}


def test_selectors_of_two_releases_differ(helm: Helm) -> None:
    first = only(rendered(helm, release="a", namespace="s"), "Deployment", ending="receiver")
    second = only(rendered(helm, release="b", namespace="s"), "Deployment", ending="receiver")
    assert first["spec"]["selector"] != second["spec"]["selector"]


@pytest.mark.parametrize(
    ("release", "values", "expected"),
    [
        ("meetingbots", {}, "meetingbots-operator"),
        ("prod", {}, "prod-meetingbots-operator"),
        ("my-meetingbots", {}, "my-meetingbots-operator"),
        ("prod", {"fullnameOverride": "zoom"}, "zoom-operator"),
        ("prod", {"nameOverride": "bots"}, "prod-bots-operator"),
    ],
)
def test_names_come_from_the_release(helm: Helm, release: str, values: dict[str, Any], expected: str) -> None:
    deployment = only(helm.template(values, release=release), "Deployment", ending="operator")
    assert deployment["metadata"]["name"] == expected


def test_no_name_is_too_long(helm: Helm) -> None:
    longest = "r" * 53  # Helm's limit
    for one in helm.template({"ingress": {"enabled": True}, "publicUrl": "https://a.example"}, release=longest):
        limit = 253 if "Role" in one["kind"] or one["kind"] == "CustomResourceDefinition" else 63
        assert len(one["metadata"]["name"]) <= limit, one["metadata"]["name"]

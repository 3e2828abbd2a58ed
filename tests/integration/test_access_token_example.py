"""The example for other programs: its Pod gets the access token alone, its account and its neighbours no more."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.cluster.api import ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "access-token.yaml"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
Object = dict[str, Any]


def example(kind: str) -> Object:
    """The example's object of this kind."""
    found: Object = next(one for one in yaml.safe_load_all(EXAMPLE.read_text()) if one["kind"] == kind)
    return found


@pytest.fixture
def guarded(cluster: ControlPlane, namespace: str) -> Iterator[str]:
    """A namespace in which the policy holds already; only there, so that other tests do not feel it."""
    policy, binding = example("ValidatingAdmissionPolicy"), example("ValidatingAdmissionPolicyBinding")
    name = f"zoom-access-{uuid4().hex[:6]}"
    policy["metadata"]["name"] = binding["metadata"]["name"] = binding["spec"]["policyName"] = name
    binding["spec"]["matchResources"] = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    }
    cluster.api.apply(f"{ADMISSION}/validatingadmissionpolicies/{name}", policy)
    cluster.api.apply(f"{ADMISSION}/validatingadmissionpolicybindings/{name}", binding)
    cluster.api.apply(core_path("serviceaccounts", namespace=namespace, name="zoom-reader"), example("ServiceAccount"))
    greedy = pod(volumes=[{"name": "zoom", "secret": {"secretName": "alice-zoom-token"}}])
    wait_until(lambda: refusal(cluster, namespace, greedy) != "", what="the policy", every_seconds=0.2)
    yield namespace
    cluster.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
    cluster.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


def pod(*, container: Object | None = None, **spec: Any) -> Object:
    """The example's Pod, changed."""
    made = copy.deepcopy(example("Pod"))
    made["metadata"] = {"generateName": "reader-"}
    made["spec"] |= spec
    made["spec"]["containers"][0] |= container or {}
    return made


def refusal(cluster: ControlPlane, namespace: str, body: Object) -> str:
    """What the API server says against a Pod; empty if it takes it."""
    try:
        cluster.api.create(core_path("pods", namespace=namespace) + "?dryRun=All", body)
    except ApiError as error:
        return str(error)
    return ""


def by_env(key: str) -> Object:
    source = {"secretKeyRef": {"name": "alice-zoom-token", "key": key}}
    return {"env": [{"name": "TOKEN", "valueFrom": source}]}


def projected(*keys: str) -> list[Object]:
    items = [{"key": key, "path": key} for key in keys]
    secret = {"name": "alice-zoom-token", **({"items": items} if items else {})}
    return [{"name": "zoom", "projected": {"sources": [{"secret": secret}]}}]


def test_what_is_allowed(cluster: ControlPlane, guarded: str) -> None:
    assert refusal(cluster, guarded, pod()) == ""
    assert refusal(cluster, guarded, pod(container=by_env("access_token"))) == ""
    assert refusal(cluster, guarded, pod(volumes=projected("access_token"))) == ""
    other = [{"name": "zoom", "secret": {"secretName": "anything-else"}}]
    assert refusal(cluster, guarded, pod(volumes=other)) == ""


def test_what_would_get_at_the_refresh_token_is_refused(cluster: ControlPlane, guarded: str) -> None:
    whole = {"name": "zoom", "secret": {"secretName": "alice-zoom-token"}}
    both = [{"key": key, "path": key} for key in ("access_token", "refresh_token")]
    listed = {"name": "zoom", "secret": {"secretName": "alice-zoom-token", "items": both}}
    everything = {"envFrom": [{"secretRef": {"name": "alice-zoom-token"}}]}
    init = {"name": "init", "image": "x", **by_env("refresh_token")}
    for greedy in (
        pod(volumes=[whole]),
        pod(volumes=[listed]),
        pod(volumes=projected()),
        pod(volumes=projected("access_token", "refresh_token")),
        pod(container=by_env("refresh_token")),
        pod(container=everything),
        pod(initContainers=[init]),
    ):
        assert "-zoom-token" in refusal(cluster, guarded, greedy), greedy["spec"]


def test_the_pods_account_may_read_no_secret(cluster: ControlPlane, guarded: str) -> None:
    for verb in ("get", "list", "watch"):
        review = cluster.api.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": f"system:serviceaccount:{guarded}:zoom-reader",
                    "resourceAttributes": {
                        "namespace": guarded,
                        "verb": verb,
                        "resource": "secrets",
                        "name": "alice-zoom-token",
                    },
                },
            },
        )
        assert not review["status"]["allowed"]

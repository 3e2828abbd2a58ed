"""The admission policy on a real API server: the receiver creates consent Secrets and no others."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from meetingbots.credentials.manifests.connect import ConsentSecret, consent_name, new_consent_secret
from meetingbots.models.credential import ZoomCredential
from pydantic import SecretStr

from tests.chart.rendering import Helm, Object
from tests.cluster.api import Api, ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane

KINDS = {
    "ServiceAccount": "/api/v1/namespaces/system/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
TENANT = "admission-tenant"
SECRETS = core_path("secrets", namespace=TENANT)


def consent(number: int = 0) -> Object:
    """Make the Secret that the receiver's own code makes."""
    name = consent_name(f"state-{number}")
    credential = ZoomCredential.from_object(
        {
            "metadata": {"name": "alice", "namespace": TENANT, "uid": "5b8f9a6e-1111-4222-8333-444455556666"},
            "spec": {"appSecretRef": {"name": "zoom-app"}, "grant": {"connect": {}}},
        }
    )
    content = ConsentSecret(
        code=SecretStr("c"), code_verifier=SecretStr("v"), redirect_uri="https://bots.example/oauth/callback", epoch="1"
    )
    return new_consent_secret(name, content, credential=credential)


@pytest.fixture(scope="module")
def receiver(cluster: ControlPlane, helm: Helm) -> Iterator[Api]:
    """The API as the receiver's ServiceAccount sees it, after the policy is in force."""
    for namespace in ("system", TENANT):
        cluster.api.ensure("/api/v1/namespaces", {"metadata": {"name": namespace}})
    for one in helm.template({"crds": {"enabled": False}}):
        if one["kind"] in KINDS:
            cluster.api.apply(f"{KINDS[one['kind']]}/{one['metadata']['name']}", one)
    accounts = f"{KINDS['ServiceAccount']}/x-meetingbots-receiver/token"
    token = cluster.api.create(accounts, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    address = urlsplit(cluster.api.url)
    api = Api(host=address.hostname or "", port=address.port or 0, ca=cluster.api.ca, token=token)
    wait_until(partial(_refused, api), what="the policy in force")
    yield api
    for one in helm.template({"crds": {"enabled": False}}):
        if one["kind"] in KINDS:
            cluster.api.delete(f"{KINDS[one['kind']]}/{one['metadata']['name']}")


def _refused(api: Api) -> bool:
    try:
        api.request("POST", SECRETS, {**consent(), "type": "example/other"}, query={"dryRun": "All"})
    except ApiError:
        return True
    return False


def _changed(**changes: Any) -> Object:
    return {**consent(), **changes}


def _metadata(**changes: Any) -> Object:
    return {**consent(), "metadata": {**consent()["metadata"], **changes}}


WRONG: dict[str, Object] = {
    "a name of another kind": _metadata(name="alice-zoom-token"),
    "a name that only begins like one": _metadata(name=f"{consent_name('x')}-more"),
    "a service account token": {
        **_metadata(annotations={"kubernetes.io/service-account.name": "default"}),
        "type": "kubernetes.io/service-account-token",
    },
    "a docker registry login": _changed(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": "e30="}),
    "a Secret that can change": _changed(immutable=False),
    "no labels": _metadata(labels={}),
    "another manager": _metadata(labels={**consent()["metadata"]["labels"], "app.kubernetes.io/managed-by": "x"}),
    "no owner": _metadata(ownerReferences=[]),
    "an owner of another kind": _metadata(
        ownerReferences=[
            {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "5b8f9a6e-1111-4222-8333-444455556667"}
        ]
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_another_secret_is_refused(receiver: Api, name: str) -> None:
    with pytest.raises(ApiError, match="consent Secret") as refusal:
        receiver.create(SECRETS, WRONG[name])
    assert refusal.value.status in (403, 422)


def test_a_consent_secret_is_created(receiver: Api) -> None:
    made = receiver.create(SECRETS, consent(1))
    assert made["metadata"]["name"] == consent_name("state-1")


def test_others_are_not_limited(cluster: ControlPlane, receiver: Api) -> None:
    assert cluster.api.create(SECRETS, {"metadata": {"name": "a-users-own"}, "type": "Opaque"})

"""Every grant, renewal, refusal and end with DEBUG logs on; then each secret that there was is searched everywhere."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.stack.connecting import invite, prepare
from tests.stack.customer_site import CustomerSite
from tests.stack.person import Person
from tests.stack.stack import Stack
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.world import App, User

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE, SYSTEM = "acme", "meetingbots-system"
REDIRECT = "https://acme.example/back"
VERIFIER = "verifier-" + "v" * 40
HEADER = "Bearer header-value-of-the-customer"
NOTIFY_KEY = "whsec_" + base64.b64encode(b"a key of the customer's platform").decode()


@dataclass
class Run:
    """What happened, and everything that was left behind by it."""

    tenant: Tenant
    zoom: SimClient
    stack: Stack
    site: CustomerSite
    secrets: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def user(self, name: str) -> str:
        account = self.tenant.account.id
        return self.zoom.add_user(User(account_id=account, email=f"{name}@acme.example")).id

    def consent(self, name: str) -> str:
        user = self.user(name)
        token = self.zoom.consent(client_id=self.tenant.app.client_id, user=user).refresh_token
        self.tenant.secret(name, refresh_token=token)
        return user

    def ready(self, name: str) -> None:
        self.tenant.wait_ready("zoomcredentials", name)


@pytest.fixture(scope="module")
def run(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All of it, once."""
    folder = tmp_path_factory.mktemp("hygiene")
    crds = load_crds(crd_files(ROOT / "crds"))
    with serving_in_thread() as zoom, ControlPlane(binaries=binaries, crds=crds) as cluster:
        cluster.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
        account = core_path("serviceaccounts", namespace=NAMESPACE, name="default")
        wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
        tenant = Tenant(cluster, zoom, NAMESPACE)
        answers = {"url": ""}
        site = CustomerSite(folder=folder, key=HEADER, token=lambda: httpx.get(answers["url"], trust_env=False).text)
        settings = {
            "LOG_LEVEL": "DEBUG",
            "ALLOWED_TOKEN_URL_HOSTS": "private:localhost",
            "ALLOWED_NOTIFY_URL_HOSTS": "private:localhost",
        }
        stack = Stack(
            cluster,
            zoom_url=zoom.base_url,
            system=SYSTEM,
            folder=folder / "stack",
            settings=settings,
            environment={"SSL_CERT_FILE": str(site.certificate)},
        )
        with site, KubeletDouble(cluster.kubeconfig("kubelet")), stack:
            made = Run(tenant, zoom, stack, site)
            live(made, answers)
            collect(made, cluster)
            yield made


def live(run: Run, answers: dict[str, str]) -> None:
    """Everything that happens to credentials."""
    tenant, zoom = run.tenant, run.zoom
    prepare(tenant, public_url=run.stack.receiver_url)
    tenant.app = zoom.change_app(tenant.app.client_id, webhook_url=run.stack.webhook_url(tenant.app.client_id))
    tenant.secret("meetingbots-notify", url=f"{run.site.base_url}/notify", secret=NOTIFY_KEY)
    # The five grants.
    run.consent("by-token")
    tenant.credential("by-token")
    code_user = run.user("by-code")
    code = zoom.code(client_id=tenant.app.client_id, user=code_user, redirect_uri=REDIRECT, code_verifier=VERIFIER)
    tenant.secret("by-code", code=code, verifier=VERIFIER)
    reference = {"name": "by-code", "key": "code"}
    tenant.credential(
        "by-code",
        grant={
            "authorizationCode": {
                "secretKeyRef": reference,
                "redirectURI": REDIRECT,
                "codeVerifierKey": "verifier",
            }
        },
    )
    kept_user = run.user("by-url")
    zoom.consent(client_id=tenant.app.client_id, user=kept_user)
    answers["url"] = zoom.customer_token_url(client_id=tenant.app.client_id, user=kept_user)
    tenant.secret("headers", Authorization=HEADER)
    secret_path = core_path("secrets", namespace=NAMESPACE, name="headers")
    url_grant = {"url": f"{run.site.base_url}/token", "headersSecretRef": {"name": "headers"}}
    tenant.credential("by-url", grant={"accessTokenURL": url_grant})
    tenant.wait_reason("zoomcredentials", "by-url", "GrantSecretMissing")
    assert not run.site.asked, "an unlabelled Secret is sent to nobody"
    tenant.cluster.api.patch(secret_path, {"metadata": {"labels": {"meetingbots.dev/allow-headers": "true"}}})
    server = zoom.add_app(App(owner_account_id=tenant.account.id, level="account", server_to_server=True))
    tenant.secret(
        "server-app",
        client_id=server.client_id,
        client_secret=server.client_secret,
        webhook_secret_token=server.webhook_secret_token,
    )
    tenant.credential(
        "by-server",
        appSecretRef={"name": "server-app"},
        level="Account",
        grant={"serverToServer": {"accountId": tenant.account.id}},
    )
    link = invite(tenant, "by-page")
    with Person() as person:
        person.open(link)
        person.press()
        person.decide(tenant.user.id)
        for name in ("by-token", "by-code", "by-url", "by-server", "by-page"):
            run.ready(name)
        person.reload()
    # What goes wrong: Zoom away, a lost answer, a wrong app, a dead code, another user, a conflict.
    zoom.fault("oauth.token", "html", status=502, count=1, client_id=tenant.app.client_id)
    renew(tenant, "by-token", "1")
    renew(tenant, "by-code", "1")
    tenant.secret("dead", code="a-code-that-was-never-given-1234567890")
    run.secrets["a-code-that-was-never-given-1234567890"] = "dead code"
    grant = {"authorizationCode": {"secretKeyRef": {"name": "dead", "key": "code"}, "redirectURI": REDIRECT}}
    tenant.credential("dead", grant=grant)
    tenant.wait_reason("zoomcredentials", "dead", "ReauthorizationRequired")
    other = zoom.consent(client_id=tenant.app.client_id, user=run.user("stranger")).refresh_token
    tenant.secret("by-token", refresh_token=other)
    renew(tenant, "by-token", "2")
    tenant.wait("GrantRejected", lambda: bool(tenant.condition("zoomcredentials", "by-token", "GrantRejected")))
    run.consent("wrong-app")
    tenant.app_secret("bad-app", client_secret="not-the-apps-client-secret-000")
    run.secrets["not-the-apps-client-secret-000"] = "wrong client secret"
    tenant.credential(
        "wrong-app",
        appSecretRef={"name": "bad-app"},
        grant={"refreshToken": {"secretKeyRef": {"name": "wrong-app", "key": "refresh_token"}}},
    )
    tenant.wait_reason("zoomcredentials", "wrong-app", "AppInvalid")
    # A bot, and the end of its credential's consent.
    gone = run.consent("leaver")
    tenant.credential("leaver", labels={"customer": "leaver"}, tokenDeletionPolicy="Retain")
    run.ready("leaver")
    meeting = tenant.meeting(host_id=gone, passcode=f"passcode-{uuid4().hex}")
    tenant.secret("passcode", passcode=meeting.passcode)
    where = {"id": str(meeting.id), "passcodeSecretKeyRef": {"name": "passcode", "key": "passcode"}}
    tenant.wait(
        "mapping", lambda: tenant.condition("zoomcredentials", "leaver", "MeetingsSynced").get("status") == "True"
    )
    tenant.bot("notes", where, credentialRef={"name": "leaver"}, tokens=["LocalRecording"])
    tenant.wait_phase("notes", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    zoom.deauthorize(client_id=tenant.app.client_id, user=gone)
    tenant.wait_reason("zoomcredentials", "leaver", "Deauthorized")
    tenant.wait("token Secret gone", lambda: not tenant.core("secrets", "leaver-zoom-token"))
    only = {"matchLabels": {"customer": "leaver"}}
    tenant.bot(
        "too-late", meeting.id, credentialRef={"name": "leaver"}, credentialSelector=only, tokenPolicy="Required"
    )
    tenant.wait_reason("meetingbots", "too-late", "CredentialNotReady")


def renew(tenant: Tenant, name: str, value: str) -> None:
    """Ask for a renewal and wait for it."""
    path = f"{GROUP}/namespaces/{NAMESPACE}/zoomcredentials/{name}"
    tenant.cluster.api.patch(path, {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": value}}})
    tenant.wait(
        f"renewal of {name}",
        lambda: tenant.status("zoomcredentials", name).get("lastHandledRefreshRequest") == value,
        seconds=90,
    )


def collect(run: Run, cluster: ControlPlane) -> None:
    """Everything that people and programs can see, but for the data of Secrets."""
    run.secrets |= run.zoom.records().secrets
    run.secrets |= {VERIFIER: "verifier", HEADER: "header", HEADER.removeprefix("Bearer "): "header"}
    run.secrets |= {NOTIFY_KEY: "notify key", NOTIFY_KEY.removeprefix("whsec_"): "notify key"}
    for process in ("operator", "receiver"):
        run.places[f"log of the {process}"] = (run.stack.folder / f"{process}.log").read_text()
        url = f"http://127.0.0.1:{run.stack.metrics_ports[process]}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            run.places[f"metrics of the {process}"] = answer.read().decode()
    for plural in ("zoomcredentials", "meetingmappings", "meetingbots"):
        run.places[plural] = listed(cluster, f"{GROUP}/{plural}")
    run.places["events"] = listed(cluster, "/apis/events.k8s.io/v1/events")
    for kind in ("pods", "configmaps"):
        run.places[kind] = listed(cluster, f"/api/v1/{kind}")
    secrets = (cluster.api.get("/api/v1/secrets") or {})["items"]
    run.places["Secrets' metadata"] = json.dumps([one["metadata"] for one in secrets])


def listed(cluster: ControlPlane, path: str) -> str:
    items: list[Any] = (cluster.api.get(path) or {})["items"]
    return json.dumps(items)


def spellings(secret: str) -> tuple[str, ...]:
    """As it is, and as Secrets and Basic authorization spell it."""
    return secret, base64.b64encode(secret.encode()).decode().rstrip("=")


@pytest.mark.timeout(420)
def test_no_secret_is_anywhere(run: Run) -> None:
    kinds = set(run.secrets.values())
    assert {"access token", "refresh token", "authorization code", "client secret", "webhook secret"} <= kinds
    assert any("join token" in kind for kind in kinds)
    assert len(run.secrets) > 30
    found = [
        f"{kind} in {place}"
        for secret, kind in run.secrets.items()
        for place, text in run.places.items()
        if any(one in text for one in spellings(secret))
    ]
    assert found == []
    lengths = {place: len(text) for place, text in run.places.items()}
    print(
        f"\n{len(run.secrets)} secrets of {len(kinds)} kinds searched in {sum(lengths.values())} characters: {lengths}"
    )


def test_the_search_would_have_found_something(run: Run) -> None:
    """Logs are on DEBUG and about what happened, and the very same search finds the secrets where they may be."""
    assert " DEBUG " in run.places["log of the operator"] or '"DEBUG"' in run.places["log of the operator"]
    assert "by-token" in run.places["log of the operator"]
    assert "ReauthorizationRequired" in run.places["events"]
    assert len(run.places["metrics of the operator"]) > 1000
    values = json.dumps([run.tenant.core("secrets", f"{name}-zoom-token") for name in ("by-code", "by-page")])
    held = [kind for secret, kind in run.secrets.items() if any(one in values for one in spellings(secret))]
    assert {"access token", "refresh token"} <= set(held)


def test_no_personal_data_of_the_one_who_left(run: Run) -> None:
    text = json.dumps(run.tenant.get("zoomcredentials", "leaver")["status"])
    assert "leaver@acme.example" not in text
    assert "userId" not in text
    message = run.tenant.condition("zoomcredentials", "leaver")["message"]
    assert "user_data_retention: false" in message
    named = [one["metadata"]["name"] for one in run.tenant.mappings() if "leaver" in json.dumps(one["status"])]
    assert named == []
    message = run.tenant.condition("meetingbots", "too-late")["message"]
    assert "removed the app" in message


def test_the_platform_was_notified(run: Run) -> None:
    notices = [(json.loads(body)["type"], json.loads(body)["data"]["name"]) for _, body in run.site.notices]
    for name in ("by-token", "by-code", "by-url", "by-server", "by-page"):
        assert ("credential.ready", name) in notices
    assert ("credential.needs_user", "dead") in notices
    assert ("credential.needs_user", "leaver") in notices
    assert all("webhook-signature" in headers for headers, _ in run.site.notices)

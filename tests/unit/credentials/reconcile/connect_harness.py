"""The bench of credentials with what grant connect adds: codes at Zoom, and a receiver that hands consents over."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import httpx
from meetingbots.credentials.manifests.connect import ConsentSecret, consent_name, link_in, new_consent_secret
from meetingbots.kube.client import Object
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.base import format_time
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.names import RECEIVER_SECRET
from pydantic import SecretStr

from tests.unit.credentials.reconcile.credential_harness import KEY, Bench, FakeZoom

PUBLIC_URL = "https://bots.example"
VERIFIER = "v" * 43


@dataclass
class ZoomWithCodes(FakeZoom):
    """Codes count once, for the redirect URI and the verifier that they were asked with."""

    codes: dict[str, str] = field(default_factory=dict)
    code_answer: httpx.Response | None = None
    """What the token endpoint answers to codes instead."""

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = httpx.QueryParams(request.content.decode())
        if form["grant_type"] != "authorization_code":
            return super()._token(request)
        if self.code_answer is not None:
            return self.code_answer
        assert form["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback"
        assert form["code_verifier"] == VERIFIER
        user = self.codes.pop(form["code"], None)
        if user is None:
            return httpx.Response(400, json={"error": "invalid_request", "reason": "Invalid authorization code (4734)"})
        return self._tokens(user, refresh=True)


class ConnectBench(Bench):
    """A bench on which alice has grant connect."""

    def __init__(self, *, public_url: str = PUBLIC_URL) -> None:
        super().__init__()
        self.zoom: ZoomWithCodes = ZoomWithCodes(secrets=self.zoom.secrets)
        self.public_url = public_url
        self._states = itertools.count(1)

    def put_connect(self, *, suspend: bool = False, **connect: Any) -> Object:
        """Store the credential."""
        return self.put_credential(grant={"connect": connect}, suspend=suspend)

    @property
    def url(self) -> str:
        """The link in the status; empty without one."""
        return str(self.status.get("connectURL", ""))

    @property
    def epoch(self) -> str:
        """The link's epoch; empty without a link."""
        link = link_in(self.url, namespace=KEY.namespace, name=KEY.name)
        return link.epoch if link else ""

    @property
    def outcomes(self) -> list[str]:
        """The reasons in handledConsents."""
        return [one["reason"] for one in self.status.get("handledConsents", [])]

    def arrive(self, user: str = "u-alice", *, epoch: str | None = None, lost: bool = False) -> str:
        """A person agreed and came back: what the receiver writes. `lost`: only the status, not the Secret."""
        number = next(self._states)
        name, code = consent_name(f"state-{number}"), f"code-{number}"
        self.zoom.codes[code] = user
        self.zoom.secrets.append(code)
        item = self.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
        assert item is not None
        content = ConsentSecret(
            code=SecretStr(code),
            code_verifier=SecretStr(VERIFIER),
            redirect_uri=f"{PUBLIC_URL}/oauth/callback",
            epoch=self.epoch if epoch is None else epoch,
        )
        if not lost:
            credential = ZoomCredential.from_object(item)
            self.kube.put(SECRETS, new_consent_secret(name, content, credential=credential))
        received = item["status"].setdefault("receivedConsents", [])
        received.append({"secretName": name, "time": format_time(self.clock())})
        self.kube.put(CREDENTIALS, item)
        return name

    def there(self, consent: str) -> bool:
        """Whether a consent's Secret is (still) there."""
        return self.kube.peek(SECRETS, namespace=KEY.namespace, name=consent) is not None

    def drop_keys(self) -> None:
        """Somebody takes the signing keys out of the receiver's Secret."""
        secret = self.kube.peek(SECRETS, namespace="system", name=RECEIVER_SECRET)
        assert secret is not None
        del secret["data"]["link_signing_key"]
        self.kube.put(SECRETS, secret)

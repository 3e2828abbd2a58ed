"""A customer for tests: a namespace here, an account with an app, a user and meetings at the simulated Zoom."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import httpx

from tests.cluster.api import Api, core_path, wait_until
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import MeetingWanted
from tests.zoomsim.visits import Participant
from tests.zoomsim.world import Account, App, Meeting, User

GROUP = "/apis/meetingbots.dev/v1alpha1"
API_VERSION = "meetingbots.dev/v1alpha1"


class HasApi(Protocol):
    """A cluster, or an installation on one."""

    @property
    def api(self) -> Api:
        """Client as administrator."""
        ...


@dataclass
class Tenant:
    """Everything is made with the defaults of a well-behaved customer; tests change what they are about.

    `patience` is how many seconds something is waited for that a test sets no limit to. `webhook_url` is where the
    receiver takes the events of `app`; empty without a receiver.
    """

    cluster: HasApi
    zoom: SimClient
    namespace: str
    patience: float = 90.0
    webhook_url: str = ""
    account: Account = field(init=False)
    user: User = field(init=False)
    app: App = field(init=False)

    def __post_init__(self) -> None:
        mark = uuid4().hex[:8]
        self.account = self.zoom.add_account(Account())
        self.user = self.zoom.add_user(User(account_id=self.account.id, email=f"host-{mark}@tenant.example"))
        self.app = self.zoom.add_app(App(owner_account_id=self.account.id, client_id=f"app-{mark}"))
        simulator = {"metadata": {"name": "zoom-simulator"}, "data": {"url": self.zoom.base_url}}
        self.cluster.api.apply(
            f"/api/v1/namespaces/{self.namespace}/configmaps/zoom-simulator",
            {"apiVersion": "v1", "kind": "ConfigMap", **simulator},
        )

    # What the customer does here.

    def secret(self, name: str, **values: str) -> None:
        """Create or replace a Secret."""
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        self.cluster.api.apply(core_path("secrets", namespace=self.namespace, name=name), body)

    def app_secret(self, name: str = "zoom-app", **changes: str) -> None:
        """The app's Secret; `changes` replace values."""
        values = {
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
            "webhook_secret_token": self.app.webhook_secret_token,
        }
        self.secret(name, **{**values, **changes})

    def consent(self, secret: str = "alice") -> str:
        """The user consents; the refresh token goes into a Secret, and is the answer."""
        token = self.zoom.consent(client_id=self.app.client_id, user=self.user.id).refresh_token
        self.secret(secret, refresh_token=token)
        return token

    def credential(self, name: str = "alice", *, labels: dict[str, str] | None = None, **spec: Any) -> None:
        """Apply a ZoomCredential with grant refreshToken from Secret `name`, unless `spec` says otherwise."""
        self.apply_object(self.credential_object(name, labels=labels, **spec))

    def credential_object(
        self, name: str = "alice", *, labels: dict[str, str] | None = None, **spec: Any
    ) -> dict[str, Any]:
        """The ZoomCredential that `credential` applies."""
        grant = {"refreshToken": {"secretKeyRef": {"name": name, "key": "refresh_token"}}}
        return custom_object(
            "ZoomCredential", name, {"appSecretRef": {"name": "zoom-app"}, "grant": grant, **spec}, labels=labels
        )

    def ready_credential(self, name: str = "alice") -> None:
        """The whole way of a consent, until it is Ready."""
        self.app_secret()
        self.consent(name)
        self.credential(name)
        self.wait_ready("zoomcredentials", name)

    def meeting(self, *, started: bool = True, emit: bool = False, **fields: Any) -> Meeting:
        """A meeting of the user; without `emit`, Zoom sends no event."""
        wanted = MeetingWanted(**{"host_id": self.user.id, "start_in": 60.0, **fields})
        meeting = self.zoom.add_meeting(wanted, emit=emit)
        return self.zoom.act(meeting.id, "start", emit=emit) if started else meeting

    def mapping(self, meeting_id: int, *credentials: str) -> None:
        """Write a mapping by hand, as a person does."""
        self.apply_object(self.mapping_object(meeting_id, *credentials))

    def mapping_object(self, meeting_id: int, *credentials: str) -> dict[str, Any]:
        """The MeetingMapping that `mapping` applies."""
        spec = {"meetingId": str(meeting_id), "credentials": [{"name": name} for name in credentials]}
        return custom_object("MeetingMapping", str(meeting_id), spec)

    def bot(self, name: str, meeting: object, **spec: Any) -> None:
        """Apply a MeetingBot; `meeting` is an ID or the whole `spec.meeting`, `spec` as of `bot_object`."""
        self.apply_object(self.bot_object(name, meeting, **spec))

    def bot_object(
        self,
        name: str,
        meeting: object,
        *,
        image: str = "bot-example",
        args: list[str] | None = None,
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """The MeetingBot that `bot` applies: its Pod has the example bot, with `args` and `annotations`."""
        container: dict[str, Any] = {
            "name": "bot",
            "image": image,
            "env": [
                {
                    "name": "ZOOM_SIMULATOR_URL",
                    "valueFrom": {"configMapKeyRef": {"name": "zoom-simulator", "key": "url"}},
                }
            ],
        }
        if args is not None:
            container["args"] = args
        template = {"metadata": {"annotations": annotations or {}}, "spec": {"containers": [container]}}
        where = meeting if isinstance(meeting, dict) else {"id": str(meeting)}
        return custom_object("MeetingBot", name, {"meeting": where, "template": template, **spec})

    def apply(self, kind: str, name: str, spec: Any, *, labels: dict[str, str] | None = None) -> dict[str, Any]:
        """Server-side apply, as kubectl would."""
        return self.apply_object(custom_object(kind, name, spec, labels=labels))

    def apply_object(self, body: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply of a whole object of ours."""
        plural, name = f"{body['kind'].lower()}s", body["metadata"]["name"]
        return self.cluster.api.apply(f"{GROUP}/namespaces/{self.namespace}/{plural}/{name}", body)

    def delete(self, plural: str, name: str) -> None:
        """Delete one of our objects."""
        self.cluster.api.delete(f"{GROUP}/namespaces/{self.namespace}/{plural}/{name}")

    # What can be seen.

    def get(self, plural: str, name: object) -> dict[str, Any]:
        """One of our objects; empty if there is none."""
        return self.cluster.api.get(f"{GROUP}/namespaces/{self.namespace}/{plural}/{name}") or {}

    def status(self, plural: str, name: object) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.get(plural, name).get("status", {})
        return found

    def condition(self, plural: str, name: object, kind: str = "Ready") -> dict[str, Any]:
        """One condition; empty if it is not there."""
        conditions = self.status(plural, name).get("conditions", [])
        return next((item for item in conditions if item["type"] == kind), {})

    def phase(self, bot: str) -> str:
        """A bot's phase."""
        return str(self.status("meetingbots", bot).get("phase", ""))

    def core(self, kind: str, name: object) -> dict[str, Any]:
        """A core object; empty if there is none."""
        return self.cluster.api.get(core_path(kind, namespace=self.namespace, name=str(name))) or {}

    def pods(self) -> list[dict[str, Any]]:
        """All Pods of the namespace."""
        found: list[dict[str, Any]] = (self.cluster.api.get(core_path("pods", namespace=self.namespace)) or {})["items"]
        return found

    def mappings(self) -> list[dict[str, Any]]:
        """All MeetingMappings of the namespace."""
        path = f"{GROUP}/namespaces/{self.namespace}/meetingmappings"
        found: list[dict[str, Any]] = (self.cluster.api.get(path) or {})["items"]
        return found

    def secret_values(self, name: str) -> dict[str, str]:
        """A Secret's values; empty if there is none."""
        data = self.core("secrets", name).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def visits(self, meeting_id: int) -> list[Participant]:
        """All tries to join a meeting."""
        return [visit for visit in self.zoom.joins() if visit.meeting_id == str(meeting_id)]

    def wait(self, what: str, holds: Callable[[], bool], *, seconds: float | None = None) -> None:
        """Wait until `holds`; TimeoutError naming `what`."""
        wait_until(holds, what=what, limit_seconds=self.patience if seconds is None else seconds, every_seconds=0.05)

    def wait_ready(self, plural: str, name: str, *, seconds: float | None = None) -> None:
        """Wait until Ready is True; the error has the condition. Of a credential, the receiver knows the app."""
        self._wait_for(plural, name, lambda: self.condition(plural, name).get("status") == "True", "Ready", seconds)
        if plural == "zoomcredentials" and self.webhook_url:
            self._wait_receiver(name)

    def _wait_receiver(self, credential: str) -> None:
        """Wait until the receiver knows the app. Before, it answers 404 or 503, and Zoom repeats late or never."""
        values = self.secret_values(self.get("zoomcredentials", credential)["spec"]["appSecretRef"]["name"])
        if not values.get("webhook_secret_token"):
            return
        url = f"{self.webhook_url.rpartition('/')[0]}/{values.get('client_id', '').strip()}"

        def answer() -> int:
            try:
                return httpx.post(url, content=b"{}", timeout=30, trust_env=False).status_code
            except httpx.TransportError:
                return 0

        self.wait(f"the receiver knows the app of {credential}", lambda: answer() == httpx.codes.UNAUTHORIZED)

    def wait_reason(self, plural: str, name: str, reason: str, *, seconds: float | None = None) -> dict[str, Any]:
        """Wait until Ready is False with this reason; gives the condition as it was then."""
        seen: dict[str, Any] = {}

        def has_reason() -> bool:
            nonlocal seen
            seen = self.condition(plural, name)
            return (seen.get("status"), seen.get("reason")) == ("False", reason)

        self._wait_for(plural, name, has_reason, f"Ready False, {reason}", seconds)
        return seen

    def wait_mapped(self, meeting_id: int, *, seconds: float | None = None) -> None:
        """Wait until a meeting's mapping names a credential: the object is created before its status."""
        self.wait(
            f"a mapping of {meeting_id} with a credential",
            lambda: bool(self.status("meetingmappings", meeting_id).get("credentials")),
            seconds=seconds,
        )

    def wait_collected(self, secret: str) -> None:
        """Wait until a Secret is gone with its owner; the error has its metadata, not its values.

        It takes a fifth of a second, but on a busy machine the garbage collector was seen to be away for 40.
        """
        try:
            self.wait(f"Secret {secret} is gone with its owner", lambda: not self.core("secrets", secret), seconds=90)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.core('secrets', secret).get('metadata')}") from None

    def wait_phase(self, bot: str, phase: str, *, seconds: float | None = None) -> None:
        """Wait until a bot is in `phase`."""
        self._wait_for("meetingbots", bot, lambda: self.phase(bot) == phase, phase, seconds)

    def _wait_for(self, plural: str, name: str, holds: Callable[[], bool], what: str, seconds: float | None) -> None:
        try:
            self.wait(f"{plural}/{name}: {what}", holds, seconds=seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its status is {self.status(plural, name)}") from None


def custom_object(kind: str, name: str, spec: Any, *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """An object of ours, as it stands in a manifest."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
    }

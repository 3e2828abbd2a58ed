"""A small typed client of the simulator's control routes, for demos and tests in other processes and threads."""

import base64
import hashlib
from typing import Any, Literal
from urllib.parse import quote

import httpx

from .actions import Removal
from .client_bots import BotClient
from .client_orders import plain
from .faults import Fault, HeaderForm
from .faults import Kind as FaultKind
from .orders import ClockState, Records
from .recorder import Call
from .scenario import Consented, Scenario
from .sim import Settings
from .webhooks import Delivery
from .world import Account, App, Meeting, User

MeetingAct = Literal["start", "end", "delete", "recover", "convert", "joined", "left"]


class SimClient(BotClient):
    """Drives a running simulator. Every method raises OrderRefused for an order that makes no sense."""

    @property
    def api_url(self) -> str:
        """What ZOOM_API_URL must be."""
        return f"{self.base_url}/v2"

    @property
    def oauth_url(self) -> str:
        """What ZOOM_OAUTH_URL must be."""
        return f"{self.base_url}/oauth"

    def customer_token_url(self, *, client_id: str, user: str) -> str:
        """Where a customer who keeps the tokens would answer with one, as plain text."""
        return f"{self.base_url}/sim/customer-token/{quote(client_id, safe='')}/{quote(user, safe='')}"

    def load(self, scenario: Scenario, *, emit: bool = False) -> list[Consented]:
        """Create everything of a scenario at once; gives the consents' tokens in their order."""
        path = f"load?emit={'true' if emit else 'false'}"
        return self._order("POST", path, scenario, gives=list[Consented])

    def add_account(self, account: Account) -> Account:
        """Open an account."""
        return self._order("POST", "accounts", account, gives=Account)

    def add_user(self, user: User) -> User:
        """Add a user."""
        return self._order("POST", "users", user, gives=User)

    def add_app(self, app: App) -> App:
        """Register an app."""
        return self._order("POST", "apps", app, gives=App)

    def add_meeting(self, meeting: Meeting, *, operator: str | None = None, emit: bool = True) -> Meeting:
        """Create a meeting (host by id or e-mail); emits `meeting.created` unless instant. Takes MeetingWanted too."""
        return self._order(
            "POST", "meetings", {"meeting": plain(meeting), "operator": operator, "emit": emit}, gives=Meeting
        )

    def meeting(self, meeting_id: int | str) -> Meeting:
        """Look at a meeting."""
        return self._order("GET", f"meetings/{meeting_id}", gives=Meeting)

    def change_account(self, account_id: str, **changes: Any) -> Account:
        """Change an account's fields."""
        return self._order("PATCH", f"accounts/{account_id}", {"changes": changes}, gives=Account)

    def change_user(self, user: str, *, emit: bool = True, **changes: Any) -> User:
        """Change a user's fields; emits `user.updated`."""
        return self._order("PATCH", f"users/{user}", {"changes": changes, "emit": emit}, gives=User)

    def change_app(self, client_id: str, **changes: Any) -> App:
        """Change an app's fields (new secret, webhook_url, scopes, disabled, ...)."""
        return self._order("PATCH", f"apps/{client_id}", {"changes": changes}, gives=App)

    def change_meeting(
        self, meeting_id: int | str, *, operator: str | None = None, emit: bool = True, **changes: Any
    ) -> Meeting:
        """Change a meeting's fields; emits `meeting.updated` for what Zoom shows. `host_answer` is set here too."""
        order = {"changes": changes, "operator": operator, "emit": emit}
        return self._order("PATCH", f"meetings/{meeting_id}", order, gives=Meeting)

    def act(
        self,
        meeting_id: int | str,
        act: MeetingAct,
        *,
        user: str | None = None,
        name: str = "Guest",
        device: str = "",
        occurrence_id: str | None = None,
        permanently: bool = False,
        emit: bool = True,
    ) -> Meeting:
        """Start, end, delete, recover or convert a meeting, or let `user` (None: a guest) join or leave it."""
        order = {
            "user": user,
            "name": name,
            "device": device,
            "occurrence_id": occurrence_id,
            "permanently": permanently,
            "emit": emit,
        }
        return self._order("POST", f"meetings/{meeting_id}/{act}", order, gives=Meeting)

    def remove_user(self, user: str, *, how: Removal = "deleted", emit: bool = True) -> User:
        """Delete, disassociate or deactivate a user, with its event."""
        return self._order("POST", f"users/{user}/remove", {"how": how, "emit": emit}, gives=User)

    def consent(self, *, client_id: str, user: str, scopes: tuple[str, ...] | None = None) -> Consented:
        """Let a user consent without a browser; gives the tokens. Earlier tokens of that user and app die."""
        order = {"client_id": client_id, "user": user, "scopes": scopes}
        return self._order("POST", "consents", order, gives=Consented)

    def code(
        self,
        *,
        client_id: str,
        user: str,
        redirect_uri: str,
        code_verifier: str | None = None,
        scopes: tuple[str, ...] | None = None,
    ) -> str:
        """Make an authorization code (bound to the verifier by PKCE S256 when one is given)."""
        challenge = None
        if code_verifier is not None:
            digest = hashlib.sha256(code_verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        order = {
            "client_id": client_id,
            "user": user,
            "redirect_uri": redirect_uri,
            "code_challenge": challenge,
            "scopes": scopes,
        }
        return self._order("POST", "codes", order, gives=dict[str, str])["code"]

    def revoke(self, *, client_id: str, user: str) -> None:
        """Kill the tokens of a user's present consent, without an event."""
        self._order("POST", "withdrawals", {"client_id": client_id, "user": user}, gives=dict[str, str])

    def deauthorize(
        self, *, client_id: str, user: str, user_data_retention: str | None = "false", emit: bool = True
    ) -> None:
        """Remove the app for a user; published apps get `app_deauthorized`."""
        order = {
            "client_id": client_id,
            "user": user,
            "deauthorize": True,
            "user_data_retention": user_data_retention,
            "emit": emit,
        }
        self._order("POST", "withdrawals", order, gives=dict[str, str])

    def emit(
        self,
        event: str,
        payload: dict[str, Any],
        *,
        client_ids: tuple[str, ...],
        event_ts: int | None = None,
        copies: int = 1,
        delay_seconds: float = 0.0,
    ) -> list[Delivery]:
        """Send any event, signed, to these apps' URLs; `event_ts` in ms, `delay_seconds` simulated."""
        order = {
            "event": event,
            "payload": payload,
            "client_ids": client_ids,
            "event_ts": event_ts,
            "copies": copies,
            "delay_seconds": delay_seconds,
        }
        return self._order("POST", "events", order, gives=list[Delivery])

    def validate(self, client_id: str) -> bool:
        """Send `endpoint.url_validation` now; say whether the answer was right."""
        return self._order("POST", f"apps/{client_id}/validate", gives=dict[str, bool])["valid"]

    def deliveries(self, event: str = "") -> list[Delivery]:
        """List the events that were sent, with every try."""
        return self._order("GET", f"deliveries?event={event}", gives=list[Delivery])

    def settled(self, *, seconds: float = 10.0) -> bool:
        """Wait (real seconds) until no delivery is pending; say whether that came."""
        return self._order("POST", f"settled?seconds={seconds}", gives=dict[str, bool])["settled"]

    def fault(
        self,
        call: str,
        kind: FaultKind,
        *,
        count: int = 1,
        skip: int = 0,
        after_work: bool = False,
        status: int = 502,
        header: HeaderForm = "none",
        seconds: float = 1.0,
        client_id: str | None = None,
        path_contains: str | None = None,
    ) -> Fault:
        """Queue a fault; the fields are those of faults.Fault."""
        fault = Fault(
            call=call,
            kind=kind,
            count=count,
            skip=skip,
            after_work=after_work,
            status=status,
            header=header,
            seconds=seconds,
            client_id=client_id,
            path_contains=path_contains,
        )
        return self._order("POST", "faults", fault, gives=Fault)

    def faults(self) -> list[Fault]:
        """List the faults that have not happened yet."""
        return self._order("GET", "faults", gives=list[Fault])

    def clear_faults(self) -> None:
        """Let everything go well again."""
        self._order("DELETE", "faults", gives=dict[str, str])

    def clock(self, *, advance: float = 0.0, factor: float | None = None, skew: float | None = None) -> ClockState:
        """Read the clock after moving it: forward by seconds, to another speed, to another skew."""
        return self._order("PATCH", "clock", {"advance": advance, "factor": factor, "skew": skew}, gives=ClockState)

    def settings(self, **changes: Any) -> Settings:
        """Change sim.Settings (latency_seconds, stranger, limits, limit_headers, sdk_account_id) and read them."""
        return self._order("PATCH", "settings", {"changes": changes}, gives=Settings)

    def calls(self, call: str = "", *, client_id: str | None = None, user_id: str | None = None) -> list[Call]:
        """List the calls by name (or its beginning up to a dot), app and user."""
        query = {"call": call, "client_id": client_id, "user_id": user_id}
        given = httpx.QueryParams({key: value for key, value in query.items() if value is not None})
        return self._order("GET", f"calls?{given}", gives=list[Call])

    def clear_calls(self) -> None:
        """Forget the calls; secrets and uses stay."""
        self._order("DELETE", "calls", gives=dict[str, str])

    def peak(self, *, account_id: str, category: str, seconds: float = 1.0) -> int:
        """Give the most calls that an account made within any window of this length."""
        query = httpx.QueryParams({"account_id": account_id, "category": category, "seconds": str(seconds)})
        return self._order("GET", f"peak?{query}", gives=dict[str, int])["peak"]

    def records(self) -> Records:
        """Get all secrets ever issued (value to kind) and the uses of each refresh token."""
        return self._order("GET", "records", gives=Records)

"""The part of Zoom's REST interface under /v2 that the project uses, with Zoom's checks and error codes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args
from urllib.parse import unquote

from aiohttp import web

from . import events, scopes, zoom_json
from .clock import iso
from .errors import (
    ZoomError,
    invalid_id,
    invalid_parameter,
    invalid_token,
    may_not_host,
    missing_scopes,
    no_such_meeting,
    no_such_user,
)
from .grants import AccessToken
from .limits import Category
from .listing import listed_times, page_size
from .sim import ZoomSim
from .tokens import JOIN_TOKEN_SECONDS, JoinKind
from .traffic import Notes, notes_of
from .world import Kind, Meeting, User

Query = Mapping[str, str]


class Api:
    """The REST handlers. Each calls `_enter` first: bearer token, rate limit, scopes, in Zoom's order."""

    def __init__(self, sim: ZoomSim) -> None:
        self._sim = sim

    def routes(self) -> list[web.RouteDef]:
        """Get the routes; their names are the calls' names in records and faults."""
        found = [
            web.get("/v2/users", self._answering(self._users), name="users.list"),
            web.get("/v2/users/{user}", self._answering(self._user), name="users.get"),
            web.get("/v2/users/{user}/meetings", self._answering(self._meetings), name="meetings.list"),
            web.get("/v2/users/{user}/webinars", self._answering(self._webinars), name="webinars.list"),
            web.get("/v2/users/{user}/token", self._answering(self._token), name="users.token"),
            web.get("/v2/users/{user}/zak", self._answering(self._zak), name="users.zak"),
        ]
        for kind in get_args(Kind):
            path = f"/v2/{kind}s/{{meeting}}"
            found += [
                web.get(path, self._answering(self._meeting), name=f"{kind}s.get"),
                web.get(f"{path}/jointoken/{{what}}", self._answering(self._join_token), name=f"{kind}s.jointoken"),
            ]
        return found

    def _answering(
        self, handler: Callable[[web.Request, Notes], dict[str, Any]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            notes = notes_of(request)
            try:
                content = handler(request, notes)
            except ZoomError as error:
                notes.code = error.code
                body = {"code": error.code, "message": error.message}
                headers = self._shown({**notes.headers, **error.headers})
                return zoom_json.answer(body, status=error.status, headers=headers)
            return zoom_json.answer(content, headers=self._shown(notes.headers))

        return answer

    def _shown(self, headers: Mapping[str, str]) -> dict[str, str]:
        limits = self._sim.settings.limit_headers
        return {key: value for key, value in headers.items() if limits or not key.startswith("X-RateLimit")}

    def _enter(self, request: web.Request, notes: Notes, *, category: Category) -> AccessToken:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise invalid_token()
        token = self._sim.consents.check(value)
        notes.category = category
        if self._sim.settings.limits:
            account = self._sim.world.account(token.account_id)
            notes.headers = self._sim.limits.take(account=account, category=category)
        lacking = scopes.missing(call=notes.call, granted=token.scopes, level=token.level)
        if lacking:
            raise missing_scopes(lacking)
        return token

    def _person(self, token: AccessToken, notes: Notes, ref: str) -> User:
        """Get the user of `/users/{ref}`, if the token covers that user."""
        world = self._sim.world
        if ref == "me":
            return world.user(token.user_id or "")
        known = world.find_user(ref)
        if token.level == "user":
            if known is not None and known.id == token.user_id:
                return known
            raise missing_scopes(scopes.missing(call=notes.call, granted=frozenset(), level="account"))
        if known is None or known.account_id != token.account_id:
            raise no_such_user(ref)
        return known

    def _users(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="medium")
        if token.level == "user":
            raise missing_scopes(scopes.missing(call=notes.call, granted=frozenset(), level="account"))
        status = request.query.get("status", "active")
        found = [
            {"id": user.id, "email": user.email, "pmi": user.pmi, "status": user.status, "type": self._type(user)}
            for user in self._sim.world.users.values()
            if user.account_id == token.account_id and user.status == status
        ]
        return self._page(request.query, of_what=f"users {token.account_id} {status}", rows=found, name="users")

    def _user(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="light")
        user = self._person(token, notes, request.match_info["user"])
        host = self._sim.world.account(user.account_id).host
        vanity = {} if user.vanity is None else {"vanity_url": f"https://{host}/my/{user.vanity}"}
        return {
            "id": user.id,
            "account_id": user.account_id,
            "email": user.email,
            "display_name": user.name,
            "pmi": user.pmi,
            "use_pmi": user.use_pmi,
            "status": user.status,
            "type": self._type(user),
            "personal_meeting_url": f"https://{host}/j/{user.pmi}",
        } | vanity

    def _type(self, user: User) -> int:
        return 1 if self._sim.world.account(user.account_id).plan == "Free" else 2

    def _meetings(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="medium")
        user = self._host(token, notes, request.match_info["user"])
        what = request.query.get("type", "scheduled")
        if what not in ("scheduled", "upcoming", "live"):
            raise invalid_parameter("type")
        return self._list(request.query, user=user, kind="meeting", what=what)

    def _webinars(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="medium")
        user = self._host(token, notes, request.match_info["user"])
        if not self._sim.world.account(user.account_id).webinar_plan:
            raise ZoomError(status=400, code=200, message="Webinar plan is missing.")
        return self._list(request.query, user=user, kind="webinar", what="scheduled")

    def _host(self, token: AccessToken, notes: Notes, ref: str) -> User:
        """Get the user of a list; Zoom refuses the list of a user without a licence to host."""
        user = self._person(token, notes, ref)
        if not user.may_host:
            raise may_not_host()
        return user

    def _list(self, query: Query, *, user: User, kind: Kind, what: str) -> dict[str, Any]:
        now, world = self._sim.clock.now(), self._sim.world
        host = world.account(user.account_id).host
        rows = [
            _row(meeting, start, host=host)
            for meeting in world.meetings_of(user.id)
            if meeting.kind == kind
            for start in listed_times(meeting, what=what, now=now)
        ]
        return self._page(query, of_what=f"{kind}s {user.id} {what}", rows=rows, name=f"{kind}s")

    def _page(self, query: Query, *, of_what: str, rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
        size = page_size(query.get("page_size"))
        offset = self._sim.pages.start(of_what=of_what, token=query.get("next_page_token", ""))
        following = self._sim.pages.following(of_what=of_what, offset=offset + size, total=len(rows))
        return {
            "page_size": size,
            "total_records": len(rows),
            "next_page_token": following,
            name: rows[offset : offset + size],
        }

    def _token(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="light")
        user = self._person(token, notes, request.match_info["user"])
        if request.query.get("type") == "zak":
            return {"token": self._sim.tokens.make_zak(user_id=user.id).value}
        number = _meeting_number(request.query.get("meeting_id", ""))
        if self._sim.world.existing_meeting(number) is None:
            raise no_such_meeting(number)
        return {"token": self._sim.tokens.make_obf(user_id=user.id, meeting_id=number).value}

    def _zak(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="light")
        user = self._person(token, notes, request.match_info["user"])
        return {"token": self._sim.tokens.make_zak(user_id=user.id).value}

    def _meeting(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        token = self._enter(request, notes, category="light")
        number = self._number_of(request.match_info["meeting"])
        meeting = self._own_meeting(token, notes, number)
        user = self._sim.world.user(meeting.host_id)
        return _described(meeting, user=user, host=self._sim.world.account(user.account_id).host)

    def _number_of(self, text: str) -> int:
        """Read a meeting's id, or its uuid: one with a `/` arrives here only when it was encoded twice."""
        if text.isascii() and text.isdigit():
            return _meeting_number(text)
        uuid = unquote(text)
        found = next((each for each in self._sim.world.meetings.values() if each.uuid == uuid), None)
        if "/" in text or found is None:
            raise invalid_id()
        return found.id

    def _join_token(self, request: web.Request, notes: Notes) -> dict[str, Any]:
        what: JoinKind = _join_kind(request.match_info["what"])
        token = self._enter(request, notes, category="light")
        bypass = request.query.get("bypass_waiting_room", "false")
        if bypass not in ("true", "false"):
            raise invalid_parameter("bypass_waiting_room")
        number = _meeting_number(request.match_info["meeting"])
        meeting = self._own_meeting(token, notes, number)
        self._check_allowed(meeting, what)
        made = self._sim.tokens.make_join(
            what=what, kind=meeting.kind, meeting_id=number, bypass_waiting_room=bypass == "true", asker=token
        )
        return {"expire_in": JOIN_TOKEN_SECONDS, "token": made.value}

    def _own_meeting(self, token: AccessToken, notes: Notes, number: int) -> Meeting:
        """Get a meeting of the token's user, or of anyone in the account for an account-level token."""
        meeting = self._sim.world.existing_meeting(number)
        if meeting is None:
            raise no_such_meeting(number)
        host = self._sim.world.user(meeting.host_id)
        ours = host.account_id == token.account_id if token.level == "account" else host.id == token.user_id
        if not ours:
            raise invalid_id() if self._sim.settings.stranger == "300" else no_such_meeting(number)
        asked = notes.call.partition("s.")[0]
        if asked != meeting.kind:
            message = f"Cannot access {meeting.kind} information."
            raise ZoomError(status=400, code=3000, message=message)
        return meeting

    def _check_allowed(self, meeting: Meeting, what: JoinKind) -> None:
        host = self._sim.world.user(meeting.host_id)
        account = self._sim.world.account(host.account_id)
        if not host.permitted:
            raise ZoomError(status=400, code=200, message="No permission.")
        if not host.may_host or host.status != "active":
            raise may_not_host()
        if what == "local_recording" and not (account.local_recording and host.local_recording):
            raise ZoomError(status=400, code=3000, message="Local recording is not allowed for this meeting.")
        if what == "live_streaming" and account.plan == "Free":
            raise ZoomError(status=400, code=200, message=f"Only available for Paid account: {account.id}.")


def _join_kind(text: str) -> JoinKind:
    for kind in get_args(JoinKind):
        if kind == text:
            return kind  # type: ignore[no-any-return] # get_args does not know what it gives
    raise web.HTTPNotFound


def _meeting_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 9 <= len(text) <= 11):
        raise invalid_id()
    return int(text)


def _row(meeting: Meeting, start: float | None, *, host: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": meeting.id,
        "uuid": meeting.uuid,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": events.zoom_type(meeting),
        "duration": meeting.duration,
        "timezone": meeting.timezone,
        "created_at": iso(meeting.created_at or 0),
        "join_url": events.join_url(meeting, host=host),
    }
    if start is not None:
        row["start_time"] = iso(start)
    if meeting.pmi is not None:
        row["pmi"] = str(meeting.pmi)
    return row


def _described(meeting: Meeting, *, user: User, host: str) -> dict[str, Any]:
    found = events.planned(meeting, host=host)
    found |= {"host_email": user.email, "created_at": iso(meeting.created_at or 0)}
    found.setdefault("occurrences", [])
    if meeting.kind == "webinar":
        del found["settings"]["use_pmi"]
        return found
    found["settings"]["waiting_room"] = meeting.waiting_room
    return found | {"status": "started" if meeting.started else "waiting"}

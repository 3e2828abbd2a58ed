"""Control routes under /sim: they let another process do what tests in the simulator's process do."""

from collections.abc import Callable

from aiohttp import web
from pydantic import TypeAdapter

from . import openapi, scenario
from .control import Handler, answering, body, merged
from .errors import NoSuchObject
from .faults import Fault
from .limits import Category
from .orders import (
    ChangeOrder,
    ClockOrder,
    ClockState,
    CodeOrder,
    EventOrder,
    MeetingActOrder,
    MeetingOrder,
    Records,
    RemovalOrder,
    WithdrawalOrder,
)
from .scenario import ConsentWanted, Scenario
from .sim import Settings, ZoomSim
from .world import Account, App, Meeting, User


class Admin:
    """The handlers of the world, the clock, the faults and the records."""

    def __init__(self, sim: ZoomSim) -> None:
        self._sim = sim

    def routes(self) -> list[web.RouteDef]:
        """Get the routes under /sim."""
        table: list[tuple[str, str, Handler]] = [
            ("POST", "load", self._load),
            ("POST", "accounts", self._add_account),
            ("POST", "users", self._add_user),
            ("POST", "apps", self._add_app),
            ("POST", "meetings", self._add_meeting),
            ("GET", "meetings/{id}", self._get_meeting),
            ("PATCH", "accounts/{id}", self._change_account),
            ("PATCH", "users/{id}", self._change_user),
            ("PATCH", "apps/{id}", self._change_app),
            ("PATCH", "meetings/{id}", self._change_meeting),
            ("POST", "users/{id}/remove", self._remove_user),
            ("POST", "apps/{id}/validate", self._validate),
            ("POST", "meetings/{id}/{act}", self._act),
            ("POST", "consents", self._consent),
            ("POST", "codes", self._code),
            ("POST", "withdrawals", self._withdraw),
            ("POST", "events", self._event),
            ("GET", "deliveries", self._deliveries),
            ("POST", "settled", self._settled),
            ("POST", "faults", self._add_fault),
            ("GET", "faults", self._faults),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "clock", self._clock),
            ("PATCH", "clock", self._change_clock),
            ("PATCH", "settings", self._change_settings),
            ("GET", "calls", self._calls),
            ("DELETE", "calls", self._clear_calls),
            ("GET", "peak", self._peak),
            ("GET", "records", self._records),
            ("GET", "openapi.json", self._openapi),
        ]
        routes = [web.route(method, f"/sim/{path}", answering(handler)) for method, path, handler in table]
        return [*routes, web.get("/sim/customer-token/{client_id}/{user}", self._customer_token)]

    async def _load(self, request: web.Request) -> object:
        emit = request.query.get("emit") == "true"
        return scenario.load(self._sim, await body(request, Scenario), emit=emit)

    async def _add_account(self, request: web.Request) -> object:
        return self._sim.actions.add_account(await body(request, Account))

    async def _add_user(self, request: web.Request) -> object:
        return self._sim.actions.add_user(await body(request, User))

    async def _add_app(self, request: web.Request) -> object:
        return self._sim.actions.add_app(await body(request, App))

    async def _add_meeting(self, request: web.Request) -> object:
        order = await body(request, MeetingOrder)
        return scenario.add_meeting(self._sim, order.meeting, operator=order.operator, emit=order.emit)

    async def _get_meeting(self, request: web.Request) -> object:
        return self._sim.world.meeting(_number(request))

    async def _change_account(self, request: web.Request) -> object:
        order, key = await body(request, ChangeOrder), request.match_info["id"]
        return self._sim.world.update_account(key, **merged(self._sim.world.account(key), order.changes))

    async def _change_user(self, request: web.Request) -> object:
        order, user = await body(request, ChangeOrder), self._sim.world.user(request.match_info["id"])
        return self._sim.actions.update_user(user.id, merged(user, order.changes), emit=order.emit)

    async def _change_app(self, request: web.Request) -> object:
        order, app = await body(request, ChangeOrder), self._sim.world.app(request.match_info["id"])
        return self._sim.actions.update_app(app.client_id, merged(app, order.changes))

    async def _change_meeting(self, request: web.Request) -> object:
        order, meeting = await body(request, ChangeOrder), self._sim.world.meeting(_number(request))
        changes = merged(meeting, order.changes)
        return self._sim.actions.update_meeting(meeting.id, changes, operator=order.operator, emit=order.emit)

    async def _remove_user(self, request: web.Request) -> object:
        order = await body(request, RemovalOrder)
        return self._sim.actions.remove_user(request.match_info["id"], how=order.how, emit=order.emit)

    async def _validate(self, request: web.Request) -> object:
        return {"valid": await self._sim.webhooks.validate(self._sim.world.app(request.match_info["id"]).client_id)}

    async def _act(self, request: web.Request) -> object:
        order, number, actions = await body(request, MeetingActOrder), _number(request), self._sim.actions
        acts: dict[str, Callable[[], Meeting]] = {
            "start": lambda: actions.start_meeting(number, emit=order.emit),
            "end": lambda: actions.end_meeting(number, emit=order.emit),
            "delete": lambda: actions.delete_meeting(
                number, occurrence_id=order.occurrence_id, permanently=order.permanently, emit=order.emit
            ),
            "recover": lambda: actions.recover_meeting(number, emit=order.emit),
            "convert": lambda: actions.convert_meeting(number, emit=order.emit),
            "joined": lambda: actions.join_user(
                number, user=order.user, name=order.name, device=order.device, emit=order.emit
            ),
            "left": lambda: actions.leave_user(
                number, user=order.user, name=order.name, device=order.device, emit=order.emit
            ),
        }
        act = acts.get(request.match_info["act"])
        if act is None:
            raise NoSuchObject(f"no act {request.match_info['act']}")
        return act()

    async def _consent(self, request: web.Request) -> object:
        return scenario.consent(self._sim, await body(request, ConsentWanted))

    async def _code(self, request: web.Request) -> object:
        order = await body(request, CodeOrder)
        code = self._sim.consents.authorize(
            app=self._sim.world.app(order.client_id),
            user=self._sim.world.user(order.user),
            redirect_uri=order.redirect_uri,
            challenge=order.code_challenge,
            scopes=order.scopes,
        )
        return {"code": code}

    async def _withdraw(self, request: web.Request) -> object:
        order = await body(request, WithdrawalOrder)
        user = self._sim.world.user(order.user)
        if order.deauthorize:
            self._sim.actions.deauthorize(
                client_id=order.client_id,
                user=user.id,
                user_data_retention=order.user_data_retention,
                emit=order.emit,
            )
        else:
            self._sim.consents.revoke(client_id=order.client_id, user_id=user.id)
        return {}

    async def _customer_token(self, request: web.Request) -> web.Response:
        """Answer like a customer who keeps the tokens: a new access token as plain text."""
        try:
            issued = self._sim.consents.lend(
                app=self._sim.world.app(request.match_info["client_id"]),
                user=self._sim.world.user(request.match_info["user"]),
            )
        except NoSuchObject as error:
            return web.Response(status=404, text=str(error))
        return web.Response(text=issued.value)

    async def _event(self, request: web.Request) -> object:
        order = await body(request, EventOrder)
        return self._sim.webhooks.emit(
            event=order.event,
            payload=order.payload,
            client_ids=order.client_ids,
            event_ts=order.event_ts,
            copies=order.copies,
            delay_seconds=order.delay_seconds,
        )

    async def _deliveries(self, request: web.Request) -> object:
        wanted = request.query.get("event", "")
        return [each for each in self._sim.webhooks.deliveries if wanted in ("", each.event)]

    async def _settled(self, request: web.Request) -> object:
        return {"settled": await self._sim.webhooks.settled(seconds=float(request.query.get("seconds", "10")))}

    async def _add_fault(self, request: web.Request) -> object:
        return self._sim.faults.add(await body(request, Fault))

    async def _faults(self, _: web.Request) -> object:
        return self._sim.faults.queue

    async def _clear_faults(self, _: web.Request) -> object:
        self._sim.faults.clear()
        return {}

    async def _clock(self, _: web.Request) -> object:
        clock = self._sim.clock
        return ClockState(now=clock.now(), shown=clock.shown(), factor=clock.factor, skew=clock.skew)

    async def _change_clock(self, request: web.Request) -> object:
        order = await body(request, ClockOrder)
        if order.factor is not None:
            self._sim.clock.set_factor(order.factor)
        if order.skew is not None:
            self._sim.clock.set_skew(order.skew)
        self._sim.clock.advance(order.advance)
        return await self._clock(request)

    async def _change_settings(self, request: web.Request) -> object:
        order = await body(request, ChangeOrder)
        adapter = TypeAdapter(Settings)
        self._sim.settings = adapter.validate_python(adapter.dump_python(self._sim.settings) | order.changes)
        return self._sim.settings

    async def _calls(self, request: web.Request) -> object:
        query = request.query
        return self._sim.recorder.find(
            query.get("call", ""), client_id=query.get("client_id"), user_id=query.get("user_id")
        )

    async def _clear_calls(self, _: web.Request) -> object:
        self._sim.recorder.clear_calls()
        return {}

    async def _peak(self, request: web.Request) -> object:
        query = request.query
        category: Category = TypeAdapter(Category).validate_python(query.get("category"))
        seconds = float(query.get("seconds", "1"))
        account = query.get("account_id", "")
        return {"peak": self._sim.recorder.peak(account_id=account, category=category, seconds=seconds)}

    async def _openapi(self, _: web.Request) -> object:
        return openapi.document()

    async def _records(self, _: web.Request) -> object:
        recorder = self._sim.recorder
        return Records(secrets=recorder.secrets, refresh_uses=dict(recorder.refresh_uses))


def _number(request: web.Request) -> int:
    return int(request.match_info["id"])

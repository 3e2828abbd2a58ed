"""Control routes for bots: a bot joins, waits, is answered or removed, and leaves."""

from aiohttp import web

from .control import Handler, answering, body
from .join import JoinRequest
from .orders import AnswerOrder
from .sim import ZoomSim


class BotAdmin:
    """The handlers of joins and participants."""

    def __init__(self, sim: ZoomSim) -> None:
        self._sim = sim

    def routes(self) -> list[web.RouteDef]:
        """Get the routes under /sim."""
        table: list[tuple[str, str, Handler]] = [
            ("POST", "join", self._join),
            ("GET", "joins", self._joins),
            ("GET", "participants", self._participants),
            ("GET", "participants/{id}", self._participant),
            ("POST", "participants/{id}/leave", self._leave),
            ("POST", "participants/{id}/remove", self._put_out),
            ("POST", "participants/{id}/answer", self._answer),
            ("POST", "participants/{id}/waiting-room", self._put_in_waiting_room),
        ]
        return [web.route(method, f"/sim/{path}", answering(handler)) for method, path, handler in table]

    async def _join(self, request: web.Request) -> object:
        return self._sim.join(await body(request, JoinRequest))

    async def _joins(self, _: web.Request) -> object:
        return self._sim.joins.attempts

    async def _participants(self, _: web.Request) -> object:
        return self._sim.visits.participants()

    async def _participant(self, request: web.Request) -> object:
        return self._sim.visits.participant(request.match_info["id"])

    async def _leave(self, request: web.Request) -> object:
        return self._sim.visits.leave(request.match_info["id"])

    async def _put_out(self, request: web.Request) -> object:
        return self._sim.visits.put_out(request.match_info["id"])

    async def _answer(self, request: web.Request) -> object:
        order = await body(request, AnswerOrder)
        return self._sim.visits.answer(request.match_info["id"], order.answer)

    async def _put_in_waiting_room(self, request: web.Request) -> object:
        return self._sim.visits.put_in_waiting_room(request.match_info["id"])

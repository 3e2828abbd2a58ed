"""What the control routes have in common: how they read a body and write an answer."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter

from .errors import NoSuchObject

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[object]]


async def body(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body as this class; an empty body is `{}`. ValueError when it does not match."""
    text = await request.text()
    return TypeAdapter(kind).validate_python(json.loads(text) if text else {})


def merged(record: T, changes: dict[str, Any]) -> dict[str, Any]:
    """Check changes against the record's class and convert them to its types."""
    adapter: TypeAdapter[T] = TypeAdapter(type(record))
    whole = adapter.validate_python(adapter.dump_python(record) | changes)
    return {name: getattr(whole, name) for name in changes}


def answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make a route's handler: its result as JSON, 400 for an order that does not fit, 404 for an unknown object."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            content = await handler(request)
        except NoSuchObject as error:
            return web.json_response({"error": str(error)}, status=404)
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(body=TypeAdapter(object).dump_json(content), content_type="application/json")

    return answer

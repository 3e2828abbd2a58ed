"""The control routes as OpenAPI 3.1 (`GET /sim/openapi.json`), generated from the classes that read their bodies."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from .faults import Fault
from .join import JoinRequest
from .orders import (
    AnswerOrder,
    ChangeOrder,
    ClockOrder,
    CodeOrder,
    EventOrder,
    MeetingActOrder,
    MeetingOrder,
    RemovalOrder,
    WithdrawalOrder,
)
from .scenario import ConsentWanted, Scenario
from .world import Account, App, User

REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route: what it does, the class of its body, and the names of its query parameters."""

    route: str
    text: str
    body: type | None = None
    query: tuple[str, ...] = ()


OPERATIONS = (
    Operation(
        route="POST load", text="Load a scenario; returns the tokens of its consents", body=Scenario, query=("emit",)
    ),
    Operation(route="POST accounts", text="Create an account", body=Account),
    Operation(route="POST users", text="Create a user", body=User),
    Operation(route="POST apps", text="Create an app", body=App),
    Operation(route="POST meetings", text="Create a meeting and send meeting.created", body=MeetingOrder),
    Operation(route="GET meetings/{id}", text="Read a meeting"),
    Operation(route="PATCH accounts/{id}", text="Change an account", body=ChangeOrder),
    Operation(route="PATCH users/{id}", text="Change a user and send user.updated", body=ChangeOrder),
    Operation(route="PATCH apps/{id}", text="Change an app", body=ChangeOrder),
    Operation(route="PATCH meetings/{id}", text="Change a meeting and send meeting.updated", body=ChangeOrder),
    Operation(route="POST users/{id}/remove", text="Delete, disassociate or deactivate a user", body=RemovalOrder),
    Operation(route="POST apps/{id}/validate", text="Send endpoint.url_validation now"),
    Operation(
        route="POST meetings/{id}/{act}",
        text="Act on a meeting (start, end, delete, recover, convert, joined, left) and send its events",
        body=MeetingActOrder,
    ),
    Operation(route="POST consents", text="Consent without a browser; returns the tokens", body=ConsentWanted),
    Operation(route="POST codes", text="Make an authorization code", body=CodeOrder),
    Operation(route="POST withdrawals", text="Revoke a consent, or remove the app", body=WithdrawalOrder),
    Operation(route="POST events", text="Send any event, signed", body=EventOrder),
    Operation(route="GET deliveries", text="List the events sent, with every try", query=("event",)),
    Operation(route="POST settled", text="Wait until no event is pending", query=("seconds",)),
    Operation(route="POST faults", text="Queue a fault for later calls", body=Fault),
    Operation(route="GET faults", text="List the pending faults"),
    Operation(route="DELETE faults", text="Remove the pending faults"),
    Operation(route="GET clock", text="Read the simulated clock"),
    Operation(route="PATCH clock", text="Advance, speed up, stop or skew the simulated clock", body=ClockOrder),
    Operation(route="PATCH settings", text="Change settings of the simulated Zoom", body=ChangeOrder),
    Operation(route="GET calls", text="List the calls of OAuth and REST", query=("call", "client_id", "user_id")),
    Operation(route="DELETE calls", text="Forget the calls"),
    Operation(
        route="GET peak",
        text="Count the most calls of an account in any window",
        query=("account_id", "category", "seconds"),
    ),
    Operation(route="GET records", text="List every secret issued, and how often each refresh token was presented"),
    Operation(route="GET customer-token/{client_id}/{user}", text="Get a new access token as plain text"),
    Operation(route="POST join", text="Join a meeting as a bot", body=JoinRequest),
    Operation(route="GET joins", text="List the joins, with their answers"),
    Operation(route="GET participants", text="List the bots as they are now"),
    Operation(route="GET participants/{id}", text="Read a bot as it is now"),
    Operation(route="POST participants/{id}/leave", text="Leave the meeting as the bot"),
    Operation(route="POST participants/{id}/remove", text="Remove the bot as the host"),
    Operation(route="POST participants/{id}/answer", text="Answer a waiting bot as the host", body=AnswerOrder),
    Operation(route="POST participants/{id}/waiting-room", text="Put the bot back into the waiting room"),
    Operation(route="GET openapi.json", text="Get this document"),
)


def document() -> dict[str, Any]:
    """Make the OpenAPI document."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        method, _, path = operation.route.partition(" ")
        paths.setdefault(f"/sim/{path}", {})[method.lower()] = _described(operation, path=path, schemas=schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zoom simulator: control routes",
            "version": "1",
            "description": "They play hosts, users and bots. Answers are JSON; 400 and 404 have an `error`.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _described(operation: Operation, *, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in operation.query]
    described: dict[str, Any] = {
        "summary": operation.text,
        "operationId": re.sub(r"\W+", "_", operation.route).strip("_").lower(),
        "responses": {"200": {"description": "Done"}, "default": {"description": "An object with `error`"}},
    }
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        schema = TypeAdapter(operation.body).json_schema(ref_template=REFERENCE)
        schemas.update(schema.pop("$defs", {}))
        schemas[operation.body.__name__] = schema
        content = {"application/json": {"schema": {"$ref": REFERENCE.format(model=operation.body.__name__)}}}
        described["requestBody"] = {"content": content}
    return described

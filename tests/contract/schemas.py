"""JSON Schemas of Zoom's events and answers, made from the types of `@zoom/rivet` when they are needed first."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.contract.node import installed_packages, node_program

Schema = dict[str, Any]

_EVENT_UNIONS = {"meetings": "MeetingsEvents", "users": "UsersEvents", "marketplace": "MarketplaceEvents"}
_ANSWERS = {
    "meetings": (
        "MeetingsGetMeetingResponse",
        "MeetingsListMeetingsResponse",
        "MeetingsGetMeetingsJoinTokenForLiveStreamingResponse",
        "MeetingsGetMeetingsArchiveTokenForLocalArchivingResponse",
        "MeetingsGetMeetingsJoinTokenForLocalRecordingResponse",
        "WebinarsGetWebinarResponse",
        "WebinarsListWebinarsResponse",
        "WebinarsGetWebinarsJoinTokenForLocalRecordingResponse",
    ),
    "users": (
        "UsersGetUserResponse",
        "UsersListUsersResponse",
        "UsersGetUsersTokenResponse",
        "UsersGetUsersZAKResponse",
    ),
}


@dataclass(frozen=True, kw_only=True)
class ZoomTypes:
    """Schemas by the name of the event, and by the name of the answer's type. They allow no unknown field."""

    events: dict[str, Schema]
    answers: dict[str, Schema]


@cache
def zoom_types() -> ZoomTypes:
    """Generate the schemas, or read them from the cache beside the packages."""
    kept = installed_packages().parent / "schemas.json"
    if not kept.exists():
        events: dict[str, Schema] = {}
        for product, union in _EVENT_UNIONS.items():
            document = _generate(product, union)
            for reference in _members(document["definitions"][union]):
                name = reference.rpartition("/")[2]
                schema = _alone(document, name)
                events[_event_name(document["definitions"][name])] = schema
        answers = {
            name: _alone(_generate(product, name), name) for product, names in _ANSWERS.items() for name in names
        }
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps({"events": events, "answers": answers}))
        partial.rename(kept)
    return ZoomTypes(**json.loads(kept.read_text()))


def _generate(product: str, name: str) -> Schema:
    packages = installed_packages()
    generator = packages / "ts-json-schema-generator" / "bin" / "ts-json-schema-generator.js"
    types = packages / "@zoom" / "rivet" / product / f"{product}.d.ts"
    options = ["--no-type-check", "--expose", "all", "--jsDoc", "none", "--functions", "hide"]
    command = [node_program(), str(generator), "--path", str(types), "--type", name, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    document: Schema = json.loads(done.stdout)
    return document


def _members(union: Schema) -> list[str]:
    return [member["$ref"] for member in union.get("anyOf", [union])]


def _alone(document: Schema, name: str) -> Schema:
    """Make a schema of one definition; the types in use refer to no other definition."""
    schema: Schema = document["definitions"][name]
    if '"$ref"' in json.dumps(schema):
        raise ValueError(f"{name} refers to other types")
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _event_name(schema: Schema) -> str:
    name: str = schema["properties"]["event"]["const"]
    return name

"""What to tick in a Zoom app, as tables: the scopes that each feature needs, and the events that are dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meetingbots.zoom.scopes import FEATURES, NEEDS, Feature, Needs, ScopeLevel
from meetingbots.zoom.webhooks.events import MEETING_ACTIONS, USER_ACTIONS

from tests.tables.places import with_table

FOR: Final = {
    Feature.USER: "whose consent it is, personal meeting ID: **needed but by bots that name the credential**",
    Feature.JOIN_TOKEN: "token `LocalRecording`: the bot records at once",
    Feature.MEETING_LIST: "`meetingSync`: meetings that no webhook told of",
    Feature.MEETING: "whether a meeting is the account's (source `Lookup`), and whether one of long ago still exists",
    Feature.USERS_LIST: "`meetingSync` of all users of the account",
    Feature.ON_BEHALF: "token `OnBehalf`",
    Feature.ZAK: "token `ZAK`",
    Feature.LIVE_STREAMING: "token `LiveStreaming`",
    Feature.LOCAL_ARCHIVING: "token `LocalArchiving`",
    Feature.WEBINAR_JOIN_TOKEN: "token `LocalRecording` of a webinar",
}
"""What each feature is for, in the order of the table."""

OF_MEETINGS: Final = {
    "created": "maps the meeting to its host, and to the one who planned it (role Operator)",
    "updated": "another host, other alternative hosts, another time",
    "deleted": "takes the mapping out of use",
    "permanently_deleted": "the same",
    "recovered": "puts it back",
    "started": "phase Live; maps instant and personal meetings, which often show here first",
    "ended": "phase Ended: bots leave",
    "participant_joined": "whether the person is there on whose behalf a bot comes",
    "participant_left": "the same",
}
"""What is done at each event of a meeting; those of a webinar are dealt with in the same way."""

OF_USERS: Final = {
    "user.updated": "another personal meeting ID",
    "user.deactivated": "the credential is not Ready (`UserInactive`) and leaves the mappings until the user is active",
    "user.activated": "it is Ready again; without this event Zoom is asked, after a minute at first, then less often",
    "user.deleted": "the same as when deactivated",
    "user.permanently_deleted": "the same",
    "user.disassociated": "the same",
}
"""What is done at each event of a user."""

WITHOUT_EFFECT: Final = frozenset({"user.created"})
"""Known events of users after which nothing is written."""


def scopes_table() -> str:
    """The scopes of each feature, as Markdown."""
    columns = [f"level {level}, {family}" for level in ScopeLevel for family in ("granular", "classic")]
    head = [f"| for | {' | '.join(columns)} | told as missing |", "| --- " * (len(columns) + 2) + "|"]
    return "\n".join([*head, *(_row(feature, NEEDS[feature]) for feature in FOR)])


def events_table() -> str:
    """The events and what follows from them, as Markdown."""
    return "\n".join(["| event | what follows |", "| --- | --- |", *_events()])


def in_document(text: str) -> str:
    """The page about the Zoom app with both tables brought up to date."""
    return with_table(with_table(text, name="scopes", table=scopes_table()), name="events", table=events_table())


def _row(feature: Feature, needs: Needs) -> str:
    user_level = (needs.granular, needs.classic) if needs.classic != needs.classic_admin else ("", "")
    scopes = [f"`{scope}`" if scope else "" for scope in (*user_level, needs.granular_admin, needs.classic_admin)]
    missed = ", ".join(level for level in ScopeLevel if feature in FEATURES[level])
    return f"| {FOR[feature]} | {' | '.join(scopes)} | {missed} |"


def _events() -> Iterator[str]:
    for action, effect in OF_MEETINGS.items():
        yield f"| `meeting.{action}`, `webinar.{action}` | {effect} |"
    for event, effect in OF_USERS.items():
        yield f"| `{event}` | {effect} |"
    yield "| `app_deauthorized` | the user removed the app: see below |"
    yield "| `endpoint.url_validation` | answered; Zoom sends it by itself |"


def uncovered() -> set[str]:
    """Events that the code knows and the table does not, or the other way round."""
    known = {f"meeting.{action}" for action in MEETING_ACTIONS} | {f"user.{action}" for action in USER_ACTIONS}
    told = {f"meeting.{action}" for action in OF_MEETINGS} | set(OF_USERS) | WITHOUT_EFFECT
    return known ^ told

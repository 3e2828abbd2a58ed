"""What to select in a Zoom app, as tables: the scopes of each feature, and the handled events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meetingbots.zoom.scopes import FEATURES, NEEDS, Feature, Needs, ScopeLevel
from meetingbots.zoom.webhooks.events import CONVERSIONS, MEETING_ACTIONS, USER_ACTIONS

from tests.tables.places import with_table

FOR: Final = {
    Feature.USER: "the consent's user and personal meeting ID: **required, except for bots that name the credential**",
    Feature.JOIN_TOKEN: "token `LocalRecording`: the bot records at once",
    Feature.MEETING_LIST: "`meetingSync`: meetings that no webhook reported",
    Feature.MEETING: "whether a meeting belongs to the account (source `Lookup`), and whether an old one still exists",
    Feature.USERS_LIST: "`meetingSync` of all users of the account",
    Feature.ON_BEHALF: "token `OnBehalf`",
    Feature.ZAK: "token `ZAK`",
    Feature.LIVE_STREAMING: "token `LiveStreaming`",
    Feature.LOCAL_ARCHIVING: "token `LocalArchiving`",
    Feature.WEBINAR_LIST: "`meetingSync`: webinars, which Zoom lists apart from meetings (optional)",
    Feature.WEBINAR_JOIN_TOKEN: "token `LocalRecording` of a webinar",
}
"""The purpose of each feature, in the order of the table."""

OF_MEETINGS: Final = {
    "created": "maps the meeting to its host, and to the person who scheduled it (role Operator)",
    "updated": "updates host, alternative hosts and time",
    "deleted": "marks the mapping as deleted",
    "permanently_deleted": "the same",
    "recovered": "restores it",
    "started": "phase Live; maps instant and personal meetings, which often appear here first",
    "ended": "phase Ended: bots leave",
    "participant_joined": "the person of an on-behalf token is present; a bot that passed its customer key is admitted",
    "participant_left": "that person, or the bot, has left; a person with two devices leaves with the last one",
    "participant_joined_waiting_room": "the bot waits to be admitted",
    "participant_put_in_waiting_room": "the same",
}
"""The effect of each event of a meeting. Webinar events have the same effect."""

OF_USERS: Final = {
    "user.updated": "updates the personal meeting ID",
    "user.deactivated": "the credential is not Ready (`UserInactive`) and not in the mappings until the user is active",
    "user.activated": "it is Ready again; without this event, the operator asks Zoom, less and less often",
    "user.deleted": "the same as when deactivated",
    "user.permanently_deleted": "the same",
    "user.disassociated": "the same",
}
"""The effect of each event of a user."""

REMOVED: Final = "[the user removed the app](../users/credentials.md#when-the-user-removes-the-app)"

WITHOUT_EFFECT: Final = frozenset(
    {"user.created", "meeting.participant_left_waiting_room", "meeting.participant_admitted"}
)
"""Known events that change nothing: an admitted participant joins, too."""


def scopes_table() -> str:
    """The scopes of each feature, as Markdown."""
    columns = [f"Level {level}, {family}" for level in ScopeLevel for family in ("granular", "classic")]
    head = [f"| For | {' | '.join(columns)} | Reported as missing |", "| --- " * (len(columns) + 2) + "|"]
    return "\n".join([*head, *(_row(feature, NEEDS[feature]) for feature in FOR)])


def events_table() -> str:
    """The events and their effects, as Markdown."""
    return "\n".join(["| Event | Effect |", "| --- | --- |", *_events()])


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
    conversions = ", ".join(f"`{event}`" for event in sorted(CONVERSIONS))
    yield f"| {conversions} | the mapping stays; tokens come from the other kind's call |"
    for event, effect in OF_USERS.items():
        yield f"| `{event}` | {effect} |"
    yield f"| `app_deauthorized` | ends the consent: {REMOVED} |"
    yield "| `endpoint.url_validation` | answered; Zoom sends it without a subscription |"


def uncovered() -> set[str]:
    """Events that only the code or only the table has."""
    known = {f"meeting.{action}" for action in MEETING_ACTIONS} | {f"user.{action}" for action in USER_ACTIONS}
    handled = {f"meeting.{action}" for action in OF_MEETINGS} | set(OF_USERS) | WITHOUT_EFFECT
    return known ^ handled

"""Who is in the meeting: users of credentials by session, and bots by customer key. Pure.

The result depends on the set of events and not on their order: for each session the newest event counts, and ended
sessions stay until their instance ends, so that a late `joined` does not revive one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meetingbots.mappings.decide.instances import is_over, is_superseded
from meetingbots.models.mapping import (
    MAX_BOTS,
    MAX_FOUND_CREDENTIALS,
    MAX_SESSIONS,
    BotPresence,
    MappingStatus,
    Presence,
    PresenceSession,
)
from meetingbots.zoom.webhooks.events import MeetingEvent

PRESENCE_ACTIONS: Final = frozenset({"participant_joined", "participant_left"})
WAITING_ROOM_ACTIONS: Final = frozenset({"participant_joined_waiting_room", "participant_put_in_waiting_room"})
_JOINED: Final = "participant_joined"
_BOT_TIMES: Final = {
    "participant_joined": "joined_time",
    "participant_left": "left_time",
    **dict.fromkeys(WAITING_ROOM_ACTIONS, "waiting_room_time"),
}


def apply_presence(before: MappingStatus, event: MeetingEvent, *, names: Iterable[str]) -> MappingStatus:
    """Return the status after the user of the credentials `names` joined or left with one session."""
    if event.participant is None or is_over(before, uuid=event.uuid, event_ts=event.event_ts):
        return before
    new = PresenceSession(
        id=event.participant.session_id,
        present=event.action == _JOINED,
        event_time=event.event_ts,
        uuid=event.uuid,
    )
    known = {one.name: one for one in before.presence}
    for name in names:
        known[name] = _presence(name, _with_session(_sessions_of(known.get(name)), new))
    presence = sorted(known.values(), key=lambda one: one.name)[:MAX_FOUND_CREDENTIALS]
    return before if presence == before.presence else before.model_copy(update={"presence": presence})


def apply_bot_event(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    """Return the status after an event about a participant with a customer key; the newest `MAX_BOTS` keys stay."""
    field, person = _BOT_TIMES.get(event.action), event.participant
    if field is None or person is None or not person.customer_key:
        return before
    if is_superseded(before, uuid=event.uuid, event_ts=event.event_ts):
        return before
    known = {one.customer_key: one for one in before.bots or ()}
    bot = known.get(person.customer_key) or BotPresence(customer_key=person.customer_key)
    changes: dict[str, object] = {field: max(event.event_ts, getattr(bot, field) or 0)}
    if (event.event_ts, event.uuid) >= (_newest(bot), bot.uuid or ""):
        changes["uuid"] = event.uuid
    known[bot.customer_key] = bot.model_copy(update=changes)
    newest = sorted(known.values(), key=lambda one: (_newest(one), one.customer_key))[-MAX_BOTS:]
    bots = sorted(newest, key=lambda one: one.customer_key)
    return before if bots == before.bots else before.model_copy(update={"bots": bots})


def without_past_instances(status: MappingStatus) -> MappingStatus:
    """Drop sessions of instances that are over, and bots of all instances but the newest."""
    presence = []
    for one in status.presence:
        sessions = [
            session
            for session in _sessions_of(one)
            if not is_over(status, uuid=session.uuid, event_ts=session.event_time)
        ]
        if sessions:
            presence.append(_presence(one.name, sessions))
    bots = [one for one in status.bots or () if not is_superseded(status, uuid=one.uuid, event_ts=_newest(one))] or None
    if presence == status.presence and bots == status.bots:
        return status
    return status.model_copy(update={"presence": presence, "bots": bots})


def _sessions_of(presence: Presence | None) -> list[PresenceSession]:
    """Return the sessions, each with its uuid. A status without sessions is one of an earlier release."""
    if presence is None:
        return []
    if presence.sessions is None:
        return [PresenceSession(id="", present=presence.present, event_time=presence.event_time, uuid=presence.uuid)]
    return [one.model_copy(update={"uuid": one.uuid or presence.uuid}) for one in presence.sessions]


def _with_session(sessions: list[PresenceSession], new: PresenceSession) -> list[PresenceSession]:
    """Merge an event into the sessions; beyond `MAX_SESSIONS`, the oldest ended ones are dropped."""
    known = {(one.uuid, one.id): one for one in sessions}
    anonymous = known.get((new.uuid, ""))
    if anonymous is not None and new.id and anonymous.event_time <= new.event_time:
        del known[new.uuid, ""]  # the entry of an earlier release, which did not tell sessions apart
    old = known.get((new.uuid, new.id))
    if old is None or (old.event_time, old.present) < (new.event_time, new.present):
        known[new.uuid, new.id] = new
    return sorted(known.values(), key=lambda one: (one.present, one.event_time, one.id))[-MAX_SESSIONS:]


def _presence(name: str, sessions: list[PresenceSession]) -> Presence:
    newest = max(sessions, key=lambda one: (one.event_time, one.present, one.uuid or "", one.id))
    of_instance = [one for one in sessions if one.uuid == newest.uuid]
    identified = [
        one.model_copy(update={"uuid": None if one.uuid == newest.uuid else one.uuid})
        for one in sorted(sessions, key=lambda one: (one.uuid or "", one.id))
    ]
    return Presence(
        name=name,
        present=any(one.present for one in of_instance),
        event_time=newest.event_time,
        uuid=newest.uuid,
        sessions=None if [one.id for one in sessions] == [""] else identified,
    )


def _newest(bot: BotPresence) -> int:
    return max(bot.waiting_room_time or 0, bot.joined_time or 0, bot.left_time or 0)

"""Bodies of Zoom's webhook events. Source of their fields: the types of Zoom's npm package `@zoom/rivet` 0.4.0.

Ids are numbers in created, updated, deleted, recovered and converted, strings in started, ended and the events of
participants. `make contract` validates every body against those types.
"""

from typing import Any, Literal

from .clock import iso
from .sessions import Session
from .world import Meeting, Occurrence, User

Json = dict[str, Any]
ParticipantEvent = Literal[
    "participant_joined",
    "participant_left",
    "participant_joined_waiting_room",
    "participant_put_in_waiting_room",
    "participant_left_waiting_room",
    "participant_admitted",
]

_WEBINAR_TYPES = {2: 5, 3: 6, 8: 9}
_TIME_FIELDS = {"participant_joined": "join_time", "participant_left": "leave_time"}


def zoom_type(meeting: Meeting) -> int:
    """Get Zoom's number of the type: 0 to 4, 7, 8 for meetings, 5, 6, 9 for webinars."""
    return _WEBINAR_TYPES.get(meeting.type, meeting.type) if meeting.kind == "webinar" else meeting.type


def join_url(meeting: Meeting, *, host: str) -> str:
    """Get the link that people pass on; `host` is the account's name in links."""
    path = "w" if meeting.kind == "webinar" else "j"
    return f"https://{host}/{path}/{meeting.id}" + (f"?pwd={meeting.passcode}" if meeting.passcode else "")


def occurrence(item: Occurrence) -> Json:
    """Describe one date of a series."""
    return {
        "occurrence_id": item.occurrence_id,
        "start_time": iso(item.start_time),
        "duration": item.duration,
        "status": item.status,
    }


def named(meeting: Meeting) -> Json:
    """Describe a meeting in deleted, recovered and converted."""
    return {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": zoom_type(meeting),
        "start_time": iso(_start(meeting)),
        "duration": meeting.duration,
        "timezone": meeting.timezone,
    }


def planned(meeting: Meeting, *, host: str = "zoom.us") -> Json:
    """Describe a meeting in created, and as far as fields changed in updated."""
    found = named(meeting)
    if meeting.start_time is None:
        del found["start_time"]
    found |= {
        "join_url": join_url(meeting, host=host),
        "settings": {
            "use_pmi": meeting.pmi is not None,
            "alternative_hosts": ";".join(meeting.alternative_hosts),
        },
    }
    if meeting.kind == "webinar":
        found["creation_source"] = "web_portal"
    if meeting.passcode:
        found["password"] = meeting.passcode
    if meeting.pmi is not None:
        found["pmi"] = str(meeting.pmi)
    if meeting.occurrences:
        found["occurrences"] = [occurrence(item) for item in meeting.occurrences]
    return found


def changes(*, before: Meeting, after: Meeting, host: str = "zoom.us") -> tuple[Json, Json]:
    """Get `object` and `old_object` of meeting.updated: the id and only what changed."""
    old, new = _changeable(before, host=host), _changeable(after, host=host)
    keys = [key for key in {**old, **new} if key != "settings" and old.get(key) != new.get(key)]
    old_object: Json = {"id": before.id} | {key: old[key] for key in keys if key in old}
    new_object: Json = {"id": after.id} | {key: new[key] for key in keys if key in new}
    changed = [key for key, value in new["settings"].items() if old["settings"][key] != value]
    if changed:
        old_object["settings"] = {key: old["settings"][key] for key in changed}
        new_object["settings"] = {key: new["settings"][key] for key in changed}
    return new_object, old_object


def running(meeting: Meeting, *, end_time: float | None = None) -> Json:
    """Describe a meeting in started, ended and the events of participants: the id is a string."""
    found = named(meeting) | {"id": str(meeting.id)}
    if end_time is not None:
        found["end_time"] = iso(end_time)
    return found


def participant(meeting: Meeting, *, session: Session, event: ParticipantEvent, when: float) -> Json:
    """Describe a meeting and the participant of an event; a guest has an empty `id` and `email`."""
    user = session.user
    who: Json = {
        "user_id": session.user_id,
        "participant_uuid": session.participant_uuid,
        "user_name": session.name,
        "id": user.id if user else "",
        "participant_user_id": user.id if user else "",
        "email": user.email if user else "",
        _TIME_FIELDS.get(event, "date_time"): iso(when),
    }
    if session.customer_key:
        who["customer_key"] = session.customer_key
    if event == "participant_left":
        who["leave_reason"] = f"{session.name} left the meeting."
    return running(meeting) | {"participant": who}


def user_changes(*, before: User, after: User) -> tuple[Json, Json]:
    """Get `object` and `old_object` of user.updated: the id and only what changed of what Zoom shows."""
    old, new = _shown(before), _shown(after)
    keys = [key for key in new if old[key] != new[key]]
    return (
        {"id": after.id} | {key: new[key] for key in keys},
        {"id": before.id} | {key: old[key] for key in keys},
    )


def _shown(user: User) -> Json:
    return {"email": user.email, "pmi": user.pmi, "use_pmi": user.use_pmi, "vanity_name": user.vanity or ""}


def _changeable(meeting: Meeting, *, host: str) -> Json:
    found = planned(meeting, host=host)
    if meeting.kind == "meeting":
        found["settings"]["waiting_room"] = meeting.waiting_room
    return {key: value for key, value in found.items() if key not in ("creation_source", "pmi")}


def _start(meeting: Meeting) -> float:
    """Get when the present run started, else the planned start; an instant meeting starts when it is created."""
    times = (meeting.started_at, meeting.start_time, meeting.created_at)
    return next((time for time in times if time is not None), 0.0)

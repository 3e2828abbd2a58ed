"""Bodies of Zoom's webhook events (Zoom API reference, "Meetings > Events" and "Users > Events").

Ids are numbers in created, updated and deleted, strings in started, ended and the participants' events.
"""

from typing import Any

from tests.zoomsim.clock import iso
from tests.zoomsim.world import Meeting, Occurrence, User

Json = dict[str, Any]


def join_url(meeting: Meeting) -> str:
    """Give the link that people pass on."""
    path = "w" if meeting.kind == "webinar" else "j"
    return f"https://zoom.us/{path}/{meeting.id}" + (f"?pwd={meeting.passcode}" if meeting.passcode else "")


def occurrence(item: Occurrence) -> Json:
    """Describe one date of a series."""
    return {
        "occurrence_id": item.occurrence_id,
        "start_time": iso(item.start_time),
        "duration": item.duration,
        "status": item.status,
    }


def planned(meeting: Meeting) -> Json:
    """Describe a meeting in created, updated, deleted and the like: the id is a number."""
    settings: Json = {
        "use_pmi": meeting.pmi is not None,
        "alternative_hosts": ";".join(meeting.alternative_hosts),
        "waiting_room": meeting.waiting_room,
    }
    found: Json = {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "duration": meeting.duration,
        "timezone": meeting.timezone,
        "join_url": join_url(meeting),
        "settings": settings,
    }
    if meeting.start_time is not None:
        found["start_time"] = iso(meeting.start_time)
    if meeting.passcode:
        found["password"] = meeting.passcode
    if meeting.pmi is not None:
        found["pmi"] = str(meeting.pmi)
    if meeting.occurrences:
        found["occurrences"] = [occurrence(item) for item in meeting.occurrences]
    return found


def changes(*, before: Meeting, after: Meeting) -> tuple[Json, Json]:
    """Give `object` and `old_object` of meeting.updated: the id and only what changed."""
    old, new = planned(before), planned(after)
    keys = [key for key in {**old, **new} if key != "settings" and old.get(key) != new.get(key)]
    old_object: Json = {"id": before.id} | {key: old[key] for key in keys if key in old}
    new_object: Json = {"id": after.id} | {key: new[key] for key in keys if key in new}
    changed = [key for key, value in new["settings"].items() if old["settings"][key] != value]
    if changed:
        old_object["settings"] = {key: old["settings"][key] for key in changed}
        new_object["settings"] = {key: new["settings"][key] for key in changed}
    return new_object, old_object


def running(meeting: Meeting, *, end_time: float | None = None) -> Json:
    """Describe a meeting in started and ended: the id is a string."""
    found: Json = {
        "id": str(meeting.id),
        "uuid": meeting.uuid,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "duration": meeting.duration,
        "timezone": meeting.timezone,
    }
    if meeting.start_time is not None:
        found["start_time"] = iso(meeting.start_time)
    if end_time is not None:
        found["end_time"] = iso(end_time)
    return found


def participant(meeting: Meeting, *, user: User | None, name: str, number: int, when: float, joined: bool) -> Json:
    """Describe a meeting with the one who came or went; guests have an empty id."""
    who: Json = {
        "id": user.id if user else "",
        "user_id": str(number),
        "user_name": name,
        "email": user.email if user else "",
        "join_time" if joined else "leave_time": iso(when),
    }
    return running(meeting) | {"participant": who}

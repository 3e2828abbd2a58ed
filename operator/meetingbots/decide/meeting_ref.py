"""Which meeting a MeetingBot means: from its link, its ID, or the values of the Secrets that it names."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import SecretStr

from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind
from meetingbots.zoom.links import InvalidLink, parse_meeting


@dataclass(frozen=True)
class MeetingRef:
    """A meeting that can be joined. What is secret has no repr."""

    meeting_id: str
    kind: MeetingKind = MeetingKind.MEETING
    passcode: SecretStr | None = field(default=None, repr=False)
    registrant_token: SecretStr | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Problem:
    """Why something cannot go on: a reason of the contract and a sentence for people.

    `mendable` says whether it can heal without an edit of the object itself.
    """

    reason: BotReason
    message: str
    mendable: bool = False


def meeting_ref(bot: MeetingBot, *, url: SecretStr | None, passcode: SecretStr | None) -> MeetingRef | Problem:
    """The meeting of `bot`; `url` and `passcode` are what its Secret references hold (None without a reference)."""
    meeting = bot.spec.meeting
    text = (url.get_secret_value() if url else None) or meeting.url or meeting.id or ""
    in_secret = meeting.url_secret_key_ref is not None
    try:
        link = parse_meeting(text)
    except InvalidLink as error:
        words = str(error)
        return Problem(BotReason.INVALID_MEETING, f"{words[:1].upper()}{words[1:]}.", mendable=in_secret)
    if link.meeting_id is None:
        if link.vanity:
            return Problem(
                BotReason.VANITY_LINK,
                "A personal link (zoom.us/my/…) names no meeting ID; give the meeting's ID or its full link.",
                mendable=in_secret,
            )
        return Problem(BotReason.INVALID_MEETING, "The link names no meeting ID.", mendable=in_secret)
    given = passcode or (SecretStr(meeting.passcode) if meeting.passcode else None)
    kind = meeting.kind or (MeetingKind(link.kind.value) if link.kind else MeetingKind.MEETING)
    return MeetingRef(
        meeting_id=link.meeting_id,
        kind=kind,
        passcode=given or link.passcode,
        registrant_token=link.registrant_token,
    )

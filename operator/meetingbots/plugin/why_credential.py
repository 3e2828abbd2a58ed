"""Explains a ZoomCredential and a meeting."""

from __future__ import annotations

from collections.abc import Iterator

from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.plugin.answer import OF_CREDENTIALS, Answer, Line
from meetingbots.plugin.reader import CredentialStory, MeetingStory

_NOT_YET = "The operator has not processed it yet."
_NO_OPERATOR = "Check that the operator runs: kubectl meetingbots doctor."


def explain(story: CredentialStory) -> Answer:
    """The answer to `why CREDENTIAL`."""
    credential = story.credential
    ready = find(credential.status.conditions, ConditionType.READY)
    known = ready is not None and ready.reason in set(CredentialReason)
    remedy = OF_CREDENTIALS[CredentialReason(ready.reason)] if ready is not None and known else _NO_OPERATOR
    return Answer(
        subject=f"ZoomCredential {credential.name}: {ready.reason if ready is not None else 'not processed'}",
        story=tuple(_state(credential)),
        cause=ready.message if ready is not None else _NOT_YET,
        remedy=remedy.replace("CREDENTIAL", credential.name),
        well=ready is not None and ready.status is ConditionStatus.TRUE,
        unread=story.unread,
    )


def explain_meeting(story: MeetingStory) -> Answer:
    """The answer to `why MEETING-ID`."""
    mapping = story.mapping
    names = _names(mapping) if mapping is not None else []
    usable = [one for one in story.credentials if one.name in names and _is_ready(one)]
    phase = "no MeetingMapping" if mapping is None else mapping.status.phase or "no phase yet"
    return Answer(
        subject=f"Meeting {story.meeting_id}: {phase}",
        story=tuple(_of_meeting(story)),
        cause=_cause(names, usable),
        remedy=_remedy(names, usable),
        well=bool(usable),
        unread=story.unread,
    )


def _names(mapping: MeetingMapping) -> list[str]:
    entered = [entry.name for entry in mapping.spec.credentials]
    return list(dict.fromkeys([*entered, *(entry.name for entry in mapping.status.credentials)]))


def _cause(names: list[str], usable: list[ZoomCredential]) -> str:
    if not names:
        return "No ZoomCredential is known for this meeting: no webhook and no sync has reported it here."
    if not usable:
        return f"None of its credentials is Ready: {', '.join(names)}."
    return f"{', '.join(one.name for one in usable)} can create join tokens for it."


def _remedy(names: list[str], usable: list[ZoomCredential]) -> str:
    if not names:
        return (
            "Check WebhookReceiving and MeetingsSynced of the host's credential, request a sync, or enter the "
            "credential in a MeetingMapping or in the bot's credentialRef."
        )
    return "Nothing." if usable else f"Run kubectl meetingbots why {names[0]}."


def _is_ready(credential: ZoomCredential) -> bool:
    ready = find(credential.status.conditions, ConditionType.READY)
    return ready is not None and ready.status is ConditionStatus.TRUE


def _state(credential: ZoomCredential) -> Iterator[Line]:
    status = credential.status
    yield Line(f"The grant is {credential.spec.grant.kind}, the level {credential.spec.level}.")
    if status.user_id:
        yield Line(f"The consent is of Zoom user {status.email or status.user_id}.")
    if status.last_refresh_time is not None:
        yield Line("The access token was last refreshed.", status.last_refresh_time)
    if status.expires_at is not None:
        yield Line("The access token expires.", status.expires_at)
    if status.missing_scopes:
        yield Line(f"Missing scopes: {', '.join(status.missing_scopes)}.")
    if status.last_error is not None:
        yield Line(
            f"Zoom's last error: {status.last_error.message} ({status.last_error.reason})", status.last_error.time
        )
    if status.last_webhook_time is not None:
        yield Line("The last webhook arrived (within an hour of this time).", status.last_webhook_time)
    for kind in (ConditionType.WEBHOOK_RECEIVING, ConditionType.MEETINGS_SYNCED, ConditionType.GRANT_REJECTED):
        known = find(status.conditions, kind)
        if known is not None:
            yield Line(f"{kind} is {known.status} ({known.reason}). {known.message}".strip())


def _of_meeting(story: MeetingStory) -> Iterator[Line]:
    mapping = story.mapping
    if mapping is not None:
        if mapping.status.start_time is not None:
            yield Line("The meeting is scheduled.", mapping.status.start_time)
        for entered in mapping.spec.credentials:
            yield Line(f"ZoomCredential {entered.name}: entered by people.")
        for found in mapping.status.credentials:
            yield Line(f"ZoomCredential {found.name}: {found.role}, found by {found.source}.")
    for bot in story.bots:
        yield Line(f"MeetingBot {bot.name} is {bot.status.phase or 'not processed yet'}.", bot.join_at)
    for credential in story.credentials:
        if not _is_ready(credential):
            ready = find(credential.status.conditions, ConditionType.READY)
            yield Line(
                f"ZoomCredential {credential.name} is not Ready: {ready.reason if ready else 'not processed yet'}."
            )

"""What the connect pages say, in words for the person in front of them: what happened, and what to do now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meetingbots.credentials.decide.consents import ACCEPTED, LINK_USED
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, HandledConsent, Level, ZoomCredential


class Tone(StrEnum):
    """How it stands: the page's colour says so, too."""

    PLAIN = "plain"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Words:
    """One thing to say. `outcome` names it for programs; `again` offers the link for another try."""

    outcome: str
    tone: Tone
    title: str
    text: tuple[str, ...]
    again: bool = False
    status: int = 200


def _bad(outcome: str, title: str, *text: str, again: bool = False, status: int = 200) -> Words:
    return Words(outcome=outcome, tone=Tone.BAD, title=title, text=text, again=again, status=status)


def _wait(outcome: str, title: str, *text: str) -> Words:
    return Words(outcome=outcome, tone=Tone.WAIT, title=title, text=text)


_ASK_SENDER: Final = "Please ask the people who sent you the link for a new one."
_TELL_SENDER: Final = (
    "Please tell the people who sent you the link; there is nothing that you can do about it yourself."
)
_TRY_AGAIN: Final = "Please try again."

INVALID = _bad(
    "invalid",
    "This link does not work",
    "It is not complete, or it has been changed. If you copied it, make sure that you copied all of it.",
    _ASK_SENDER,
    status=403,
)
EXPIRED = _bad(
    "expired",
    "This link has expired",
    "For your safety, links like this work for a few days only.",
    _ASK_SENDER,
    status=410,
)
USED = _bad(
    "used",
    "This link has already been used",
    "A Zoom account was connected with it, so it does not work any more. If that was you, all is well.",
    "If it was not you, or if you want to connect again, please ask the people who sent you the link for a new one.",
    status=410,
)
GONE = _bad(
    "gone",
    "This link is not needed any more",
    "The connection that it was for has been removed or changed.",
    _ASK_SENDER,
    status=410,
)
PAUSED = _bad(
    "paused",
    "Connecting is paused",
    "The people who sent you the link have paused this connection.",
    "Please try again later, or ask them.",
    status=409,
)
NOT_SET_UP = _bad(
    "not-set-up",
    "This cannot be used yet",
    "The Zoom app that you would give your consent to is not set up completely on our side.",
    _TELL_SENDER,
    status=503,
)
LATER = _bad(
    "later",
    "Please wait a moment",
    "This page cannot do its work just now. It tries again by itself every few seconds.",
    status=503,
)
BUSY = _bad(
    "busy",
    "Please try again later",
    "There have been several tries that are still being dealt with.",
    "Please wait some minutes, and then open your link again.",
    status=503,
)
NOT_OURS = _bad(
    "not-ours",
    "This does not belong to a connection that you started",
    "The address of this page is not complete, or it has been changed. Nothing was connected.",
    "Please open the link that you got once more.",
    status=400,
)
OTHER_BROWSER = _bad(
    "other-browser",
    "Please start in this browser",
    "The connection was started in another browser or a private window, or this browser refuses cookies. For your "
    "safety it can only be finished where it was started. Nothing was connected.",
    "Please open the link that you got once more, in this browser, and go on from there.",
    status=403,
)
REFUSED = _bad(
    "refused",
    "You have not given access",
    "You declined at Zoom, so nothing was connected and nothing was shared.",
    "If that was a mistake, you can try again.",
    again=True,
)
ZOOM_SAYS_NO = _bad(
    "zoom-refused",
    "Zoom did not go on",
    "Zoom sent you back without an answer. Nothing was connected.",
    "Please try again. If this comes again, please tell the people who sent you the link.",
    again=True,
)
TOO_SLOW = _bad(
    "too-slow",
    "That took too long",
    "For your safety you have ten minutes to agree at Zoom, and they were over. Nothing was connected.",
    _TRY_AGAIN,
    again=True,
    status=410,
)
USED_TWICE = _bad(
    "used-twice",
    "This answer from Zoom has already been used",
    "Each consent counts once. This one has been taken already, perhaps because the page was opened a second time.",
    status=409,
)

_WAITING = _wait(
    "waiting",
    "One moment, please",
    "Zoom has told us that you agree. The connection is being made; this usually takes a few seconds.",
    "You may close this page: it goes on by itself.",
)
_WAITING_FOR_ZOOM = _wait(
    "waiting-for-zoom",
    "Zoom does not answer just now",
    "You have agreed, but Zoom cannot be reached to finish the connection. We go on trying for some minutes, and this "
    "page tells you how it ends.",
)
_WAITING_FOR_APP = _wait(
    "waiting-for-app",
    "Something is set up wrongly on our side",
    "You have agreed, but Zoom does not accept the app that asked you. If this is put right within some minutes, the "
    "connection is made after all, and this page tells you.",
    _TELL_SENDER,
)
_CONNECTED = Words(
    outcome="connected",
    tone=Tone.GOOD,
    title="Your Zoom account is connected",
    text=("All is done, and you may close this page.",),
)
_CONNECTED_PARTLY = Words(
    outcome="connected-partly",
    tone=Tone.WAIT,
    title="Your Zoom account is connected, but rights are missing",
    text=(
        "The app that you agreed to does not ask for all the rights that the meeting bot needs.",
        _TELL_SENDER,
    ),
)
MISMATCH = _bad(
    "other-user",
    "That is another Zoom account than the expected one",
    "You agreed as a Zoom user whom this link is not meant for. Nothing was connected.",
    'Sign out at zoom.us, or choose "Switch account" there, and try again with the right Zoom account.',
    again=True,
)
_MISCONFIGURED = _bad(
    "misconfigured",
    "Something is set up wrongly on our side",
    "You have agreed, but Zoom does not accept the app that asked you. Nothing was connected.",
    _TELL_SENDER,
    again=True,
)
_CODE_LATE = _bad(
    "too-late",
    "That took too long",
    "Zoom's answer could not be used in time: it counts for five minutes only. Nothing was connected.",
    _TRY_AGAIN,
    again=True,
)
_CODE_UNKNOWN = _bad(
    "not-accepted",
    "Zoom does not accept this answer any more",
    "It may have been used already, or be out of date. Nothing was connected.",
    _TRY_AGAIN,
    again=True,
)
_OUTCOMES: Final[Mapping[str, Words]] = {
    LINK_USED: USED,
    CredentialReason.USER_MISMATCH: MISMATCH,
    CredentialReason.APP_INVALID: _MISCONFIGURED,
    CredentialReason.APP_SECRET_MISSING: _MISCONFIGURED,
    CredentialReason.REAUTHORIZATION_REQUIRED: _CODE_LATE,
    CredentialReason.ZOOM_UNAVAILABLE: _bad(
        "zoom-away",
        "Zoom did not answer",
        "Zoom could not be reached to finish the connection, and your consent is out of date now.",
        "Nothing was connected.",
        "Please try again later.",
        again=True,
    ),
    CredentialReason.DISABLED_BY_ADMIN: _bad(
        "disabled-by-admin",
        "Your organisation does not allow this app",
        "The administrator of your Zoom account has switched the app off. Nothing was connected.",
        "Please ask your administrator to allow it, and then try again.",
        again=True,
    ),
    CredentialReason.USER_INACTIVE: _bad(
        "user-inactive",
        "This Zoom user is not active",
        "Zoom says that the user who agreed is deactivated. Nothing was connected.",
        "Please try again with an active Zoom user.",
        again=True,
    ),
    CredentialReason.SCOPES_MISSING: _CONNECTED_PARTLY,
}
_INTERRUPTED = _bad(
    "interrupted",
    "Something went wrong on our side",
    "Your consent got lost while it was being dealt with. Nothing was connected.",
    _TRY_AGAIN,
    again=True,
)


def outcome_words(credential: ZoomCredential, consent: str) -> Words:
    """What became of a consent, as the credential's status tells it."""
    status = credential.status
    ready = find(status.conditions, ConditionType.READY)
    reason = ready.reason if ready is not None else ""
    handled = next((one for one in status.handled_consents if one.secret_name == consent), None)
    if handled is None:
        return _open(credential, reason)
    if handled.reason == ACCEPTED:
        return _CONNECTED_PARTLY if reason == CredentialReason.SCOPES_MISSING else _CONNECTED
    return _failed(handled)


def _open(credential: ZoomCredential, reason: str) -> Words:
    if credential.spec.suspend:
        return _wait("paused", PAUSED.title, *PAUSED.text)
    if reason in (CredentialReason.APP_INVALID, CredentialReason.APP_SECRET_MISSING):
        return _WAITING_FOR_APP
    if reason == CredentialReason.ZOOM_UNAVAILABLE and credential.status.consecutive_failures:
        return _WAITING_FOR_ZOOM
    return _WAITING


def _failed(handled: HandledConsent) -> Words:
    if handled.reason == CredentialReason.REAUTHORIZATION_REQUIRED:
        if handled.code == "4709" or "redirect URI" in handled.message:
            return _MISCONFIGURED
        if handled.code == "4734" or "does not accept the authorization code" in handled.message:
            return _CODE_UNKNOWN
    return _OUTCOMES.get(handled.reason, _INTERRUPTED)


_RIGHTS: Final[Mapping[Level, tuple[str, ...]]] = {
    Level.USER: (
        "Joining and recording: it may fetch, for each meeting that you host, the permission for its bot to record.",
        "Seeing which meetings are yours: their numbers, times and settings, so that the bot finds them.",
        "Seeing who you are at Zoom: your user ID, account, e-mail address and personal meeting ID.",
        "Joining in your name, where the app asks for it: for meetings that a bot cannot join by itself.",
    ),
    Level.ACCOUNT: (
        "Joining and recording: it may fetch, for each meeting that anyone in your Zoom account hosts, the permission "
        "for its bot to record.",
        "Seeing your account's meetings: their numbers, times and settings, so that the bot finds them.",
        "Seeing your account's users: their user IDs, e-mail addresses and personal meeting IDs.",
        "Joining in a user's name, where the app asks for it: for meetings that a bot cannot join by itself.",
    ),
}
WHOSE: Final[Mapping[Level, str]] = {
    Level.USER: "your Zoom account",
    Level.ACCOUNT: "your organisation's whole Zoom account",
}


def rights(level: Level) -> tuple[str, ...]:
    """What the person allows, by what it is good for."""
    return _RIGHTS[level]

"""What the connect pages say about the outcome of a consent, read from the credential's status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meetingbots.credentials.decide.consents import ACCEPTED, LINK_USED, was_handed_over
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, CredentialStatus, HandledConsent, ZoomCredential
from meetingbots.receiver.connect.messages import (
    PAUSED,
    TELL_SENDER,
    TRY_AGAIN,
    USED,
    Message,
    Severity,
    error,
    pending,
)

_WAITING = pending(
    "waiting",
    "One moment, please",
    "Zoom has confirmed that you agree. Connecting usually takes a few seconds.",
    "You may close this page. The connection is made without it.",
)
_WAITING_FOR_ZOOM = pending(
    "waiting-for-zoom",
    "Zoom does not answer just now",
    "You have agreed, but Zoom cannot be reached to finish the connection. We keep trying for some minutes, and this "
    "page shows the result.",
)
_WAITING_FOR_APP = pending(
    "waiting-for-app",
    "Something is set up wrongly on our side",
    "You have agreed, but Zoom does not accept the app that asked you. If this is fixed within some minutes, the "
    "connection is made after all, and this page shows it.",
    TELL_SENDER,
)
_CONNECTED = Message(
    outcome="connected",
    severity=Severity.SUCCESS,
    title="Your Zoom account is connected",
    text=("Everything is done. You may close this page.",),
)
_CONNECTED_PARTLY = Message(
    outcome="connected-partly",
    severity=Severity.PENDING,
    title="Your Zoom account is connected, but rights are missing",
    text=(
        "The app that you agreed to does not ask for all the rights that the meeting bot needs.",
        TELL_SENDER,
    ),
)
_MISMATCH = error(
    "other-user",
    "That is another Zoom account than the expected one",
    "You agreed as a different Zoom user than this link is meant for. Nothing was connected.",
    'Sign out at zoom.us, or choose "Switch account" there, and try again with the right Zoom account.',
    "Zoom keeps what you agreed to. You can remove the app in Zoom's App Marketplace, under Manage, Added Apps.",
    retry=True,
)
_HANDED_OVER = error(
    "other-user",
    "That is another Zoom account than the expected one",
    "You agreed as a different Zoom user than this link is meant for. Your own connection has been renewed with it "
    "and goes on as before; nothing else was connected.",
    'Sign out at zoom.us, or choose "Switch account" there, and try again with the right Zoom account.',
    retry=True,
)
_MISCONFIGURED = error(
    "misconfigured",
    "Something is set up wrongly on our side",
    "You have agreed, but Zoom does not accept the app that asked you. Nothing was connected.",
    TELL_SENDER,
    retry=True,
)
_CODE_LATE = error(
    "too-late",
    "That took too long",
    "Zoom's answer is valid for five minutes and could not be used in that time. Nothing was connected.",
    TRY_AGAIN,
    retry=True,
)
_CODE_UNKNOWN = error(
    "not-accepted",
    "Zoom does not accept this answer any more",
    "It has been used already or has expired. Nothing was connected.",
    TRY_AGAIN,
    retry=True,
)
_OUTCOMES: Final[Mapping[str, Message]] = {
    LINK_USED: USED,
    CredentialReason.USER_MISMATCH: _MISMATCH,
    CredentialReason.APP_INVALID: _MISCONFIGURED,
    CredentialReason.APP_SECRET_MISSING: _MISCONFIGURED,
    CredentialReason.REAUTHORIZATION_REQUIRED: _CODE_LATE,
    CredentialReason.ZOOM_UNAVAILABLE: error(
        "zoom-away",
        "Zoom did not answer",
        "Zoom could not be reached to finish the connection, and your consent has expired.",
        "Nothing was connected.",
        "Please try again later.",
        retry=True,
    ),
    CredentialReason.DISABLED_BY_ADMIN: error(
        "disabled-by-admin",
        "Your organisation does not allow this app",
        "The administrator of your Zoom account has disabled the app. Nothing was connected.",
        "Please ask your administrator to allow it, then try again.",
        retry=True,
    ),
    CredentialReason.USER_INACTIVE: error(
        "user-inactive",
        "This Zoom user is not active",
        "Zoom says that the user who agreed is deactivated. Nothing was connected.",
        "Please try again with an active Zoom user.",
        retry=True,
    ),
    CredentialReason.SCOPES_MISSING: _CONNECTED_PARTLY,
}
_INTERRUPTED = error(
    "interrupted",
    "Something went wrong on our side",
    "Your consent was lost while it was being processed. Nothing was connected.",
    TRY_AGAIN,
    retry=True,
)


def outcome_message(credential: ZoomCredential, consent: str) -> Message:
    """Describe the outcome of a consent from the credential's status."""
    status = credential.status
    ready = find(status.conditions, ConditionType.READY)
    reason = ready.reason if ready is not None else ""
    handled = _handled(status, consent)
    if handled is None:
        return _unfinished(credential, reason)
    if handled.reason == ACCEPTED:
        return _CONNECTED_PARTLY if reason == CredentialReason.SCOPES_MISSING else _CONNECTED
    return _failed(handled)


def is_handled(status: CredentialStatus, consent: str) -> bool:
    """Whether the operator has finished with this consent."""
    return _handled(status, consent) is not None


def _handled(status: CredentialStatus, consent: str) -> HandledConsent | None:
    return next((one for one in status.handled_consents if one.secret_name == consent), None)


def _unfinished(credential: ZoomCredential, reason: str) -> Message:
    if credential.spec.suspend:
        return pending("paused", PAUSED.title, *PAUSED.text)
    if reason in (CredentialReason.APP_INVALID, CredentialReason.APP_SECRET_MISSING):
        return _WAITING_FOR_APP
    if reason == CredentialReason.ZOOM_UNAVAILABLE and credential.status.consecutive_failures:
        return _WAITING_FOR_ZOOM
    return _WAITING


def _failed(handled: HandledConsent) -> Message:
    if handled.reason == CredentialReason.USER_MISMATCH and was_handed_over(handled):
        return _HANDED_OVER
    if handled.reason == CredentialReason.REAUTHORIZATION_REQUIRED:
        if handled.code == "4709" or "redirect URI" in handled.message:
            return _MISCONFIGURED
        if handled.code == "4734" or "does not accept the authorization code" in handled.message:
            return _CODE_UNKNOWN
    return _OUTCOMES.get(handled.reason, _INTERRUPTED)

"""What to do about a reason of the condition Ready, in words for people."""

from __future__ import annotations

from typing import Final

from meetingbots.credentials.decide.facts import CredentialFacts
from meetingbots.models.credential import CredentialReason as Reason

_NEW_CONSENT: Final = "The user must consent again: put the new grant into the grant's Secret."
_CONNECT_AGAIN: Final = "The user must consent again: send them the link in status.connectURL."
_ADVICE: Final = {
    Reason.REAUTHORIZATION_REQUIRED: _NEW_CONSENT,
    Reason.DEAUTHORIZED: _NEW_CONSENT,
    Reason.ROTATION_INTERRUPTED: "Zoom's answer to an earlier refresh was lost, and with it the next refresh token. "
    + _NEW_CONSENT,
    Reason.APP_INVALID: "Check client_id and client_secret in the app Secret, and the app in Zoom's Marketplace.",
    Reason.USER_INACTIVE: "Activate the user in Zoom; the operator retries.",
    Reason.DISABLED_BY_ADMIN: "The account's administrator must allow the app in Zoom; the operator retries.",
    Reason.SCOPES_MISSING: "Add the scopes to the app in Zoom's Marketplace, and have the user consent again.",
    Reason.ZOOM_UNAVAILABLE: "The operator retries.",
}


def advice(reason: Reason, facts: CredentialFacts) -> str:
    """Return what to do about a reason; empty when there is nothing to do."""
    text = _ADVICE.get(reason, "")
    if facts.credential.spec.grant.connect is None:
        return text
    if reason is Reason.USER_MISMATCH:
        return "Send the link in status.connectURL to the user who is expected."
    return text.replace(_NEW_CONSENT, _CONNECT_AGAIN)

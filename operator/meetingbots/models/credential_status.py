"""How a credential stands: its reasons and its status, which mirrors what the token Secret holds."""

# ruff: noqa: S105  (names of reasons, not secrets)

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from meetingbots.models.base import MAX_INTEGER, MeetingId, Message, Model, ObjectName, Time, extension
from meetingbots.models.conditions import Condition

ZoomId = Annotated[str, Field(max_length=128)]
"""Zoom's id of a user or an account; case-sensitive."""

MAX_CONSENTS: Final = 8
"""Maximum number of consents that a status lists."""

Scope = Annotated[str, Field(max_length=256)]


class CredentialReason(StrEnum):
    """Reasons of the condition Ready, and of conditions that follow from it."""

    TOKEN_VALID = "TokenValid"
    WAITING_FOR_CONSENT = "WaitingForConsent"
    APP_SECRET_MISSING = "AppSecretMissing"
    APP_INVALID = "AppInvalid"
    GRANT_SECRET_MISSING = "GrantSecretMissing"
    REAUTHORIZATION_REQUIRED = "ReauthorizationRequired"
    ROTATION_INTERRUPTED = "RotationInterrupted"
    DEAUTHORIZED = "Deauthorized"
    USER_INACTIVE = "UserInactive"
    USER_MISMATCH = "UserMismatch"
    DISABLED_BY_ADMIN = "DisabledByAdmin"
    SCOPES_MISSING = "ScopesMissing"
    ZOOM_UNAVAILABLE = "ZoomUnavailable"
    SECRET_CONFLICT = "SecretConflict"
    SUSPENDED = "Suspended"


class SyncReason(StrEnum):
    """Reasons of the condition MeetingsSynced."""

    SYNCED = "Synced"
    SYNCING = "Syncing"
    SYNC_FAILED = "SyncFailed"
    SYNC_DISABLED = "SyncDisabled"
    CREDENTIAL_NOT_READY = "CredentialNotReady"
    SCOPES_MISSING = "ScopesMissing"
    SUSPENDED = "Suspended"


class WebhookReason(StrEnum):
    """Reasons of the condition WebhookReceiving."""

    RECEIVING = "Receiving"
    NOTHING_RECEIVED = "NothingReceived"
    SIGNATURE_INVALID = "SignatureInvalid"


class CredentialError(Model):
    """The last failure of a request to Zoom."""

    reason: str = Field(default="", max_length=256, description="The cause as one CamelCase word, as in conditions.")
    code: str = Field(default="", max_length=64, description="Zoom's error code or the HTTP status, if there is one.")
    message: Message = Field(default="", description="Description for people, without secrets.")
    time: Time | None = Field(default=None, description="When it happened.")


class SyncProgress(Model):
    """A read of the meetings in progress."""

    start_time: Time | None = Field(default=None, description="When the read started.")
    users_done: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Users with meetings read so far (level Account)."
    )
    users_total: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Users with meetings to read (level Account)."
    )
    meetings_read: int | None = Field(default=None, ge=0, le=MAX_INTEGER, description="Meetings read so far.")


class MeetingsStatus(Model):
    """The credential's meetings."""

    count: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Meetings found by the last complete read."
    )
    last_sync_time: Time | None = Field(default=None, description="When the last complete read ended.")
    next_sync_time: Time | None = Field(default=None, description="When the next read is planned.")
    progress: SyncProgress | None = Field(default=None, description="The read in progress; absent without one.")


class Deauthorization(Model):
    """Zoom's report that the user removed the app."""

    time: Time | None = Field(default=None, description="When the user removed the app, by Zoom's report.")
    user_data_retention: bool | None = Field(
        default=None,
        description="Whether the user allows you to keep their data; if false, delete it within 10 days.",
    )


class ReceivedConsent(Model):
    """A consent (grant connect) that the receiver accepted: the Secret with the authorization code."""

    secret_name: ObjectName = Field(
        description="Name of the Secret with the authorization code; the operator deletes it when the consent is "
        "concluded."
    )
    time: Time = Field(description="When Zoom redirected the user back with the code.")


class HandledConsent(Model):
    """The outcome of a received consent (grant connect)."""

    secret_name: ObjectName = Field(description="The secretName in receivedConsents.")
    time: Time = Field(description="When the operator concluded it.")
    reason: str = Field(
        min_length=1,
        max_length=256,
        description="Accepted, LinkUsed, or the reason why it led to no token, as in the condition Ready.",
    )
    code: str = Field(default="", max_length=64, description="Zoom's error code, if there is one.")
    message: Message = Field(default="", description="Description for people, without secrets.")


class RemovalKind(StrEnum):
    """How a user was removed, by Zoom's event."""

    DEACTIVATED = "Deactivated"
    DELETED = "Deleted"
    DISASSOCIATED = "Disassociated"


class UserRemoval(Model):
    """Zoom's report that the user was deactivated, deleted or removed from the account."""

    time: Time | None = Field(default=None, description="When it happened, by Zoom's report.")
    kind: RemovalKind | None = Field(
        default=None, description="How the user was removed: Deactivated, Deleted or Disassociated."
    )


class Notification(Model):
    """The last notice that the namespace's webhook accepted."""

    type: str = Field(
        default="", max_length=64, description="Type of the notice: credential.ready or credential.needs_user."
    )
    reason: str = Field(default="", max_length=256, description="The reason of Ready in the notice.")
    time: Time | None = Field(default=None, description="When the webhook accepted it.")


class CredentialStatus(Model):
    """The observed state."""

    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        le=MAX_INTEGER,
        description="The metadata.generation that this status reflects; -1 before the first reconciliation.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (a usable access token exists), MeetingsSynced, WebhookReceiving, GrantRejected, and "
        "Reconciling and Stalled while they are True.",
        json_schema_extra=extension(list_type="map", list_key="type"),
    )
    user_id: ZoomId | None = Field(default=None, description="Zoom's id of the user who consented.")
    account_id: ZoomId | None = Field(default=None, description="Zoom's id of the user's account.")
    email: str | None = Field(default=None, max_length=320, description="E-mail address of the user who consented.")
    pmi: MeetingId | None = Field(default=None, description="The user's personal meeting ID.")
    granted_scopes: list[Scope] = Field(
        default_factory=list,
        max_length=512,
        description="Scopes that Zoom granted.",
        json_schema_extra=extension(list_type="atomic"),
    )
    missing_scopes: list[Scope] = Field(
        default_factory=list,
        max_length=512,
        description="Scopes that are required but not granted; the message of Ready names the affected features.",
        json_schema_extra=extension(list_type="atomic"),
    )
    expires_at: Time | None = Field(default=None, description="When the access token expires.")
    last_refresh_time: Time | None = Field(default=None, description="When the access token was last refreshed.")
    next_refresh_time: Time | None = Field(default=None, description="When the next refresh is planned.")
    consecutive_failures: int = Field(
        default=0, ge=0, le=MAX_INTEGER, description="Failed refreshes since the last success."
    )
    last_error: CredentialError | None = Field(
        default=None, description="The last failure. It stays after a later success."
    )
    meetings: MeetingsStatus | None = Field(default=None, description="The credential's meetings.")
    connect_url: str | None = Field(
        default=None,
        alias="connectURL",
        max_length=2048,
        repr=False,
        description="Link at which the end user consents (grant connect). Absent while a consent is valid.",
    )
    received_consents: list[ReceivedConsent] = Field(
        default_factory=list,
        max_length=MAX_CONSENTS,
        description="Consents that the receiver stored in Secrets (grant connect). Those that are not in "
        "handledConsents "
        "are pending.",
        json_schema_extra=extension(list_type="atomic"),
    )
    consent_declined_time: Time | None = Field(
        default=None,
        description="When the end user last declined on Zoom's consent page (grant connect). Absent after a consent.",
    )
    handled_consents: list[HandledConsent] = Field(
        default_factory=list,
        max_length=MAX_CONSENTS,
        description="Outcomes of receivedConsents, for the connect page.",
        json_schema_extra=extension(list_type="atomic"),
    )
    deauthorization: Deauthorization | None = Field(
        default=None, description="Zoom's report that the user removed the app; absent without one."
    )
    ended_grant: str | None = Field(
        default=None,
        max_length=256,
        description="Fingerprint of the grant that ended when the user removed the app (not secret). The operator "
        "does not "
        "redeem it again.",
    )
    user_removal: UserRemoval | None = Field(
        default=None,
        description="Zoom's report that the user was deactivated, deleted or removed from the account; absent without "
        "one, and when the user is active again.",
    )
    last_notification: Notification | None = Field(
        default=None,
        description="The last notice that the webhook in the namespace's Secret meetingbots-notify accepted; absent "
        "without one.",
    )
    last_webhook_time: Time | None = Field(
        default=None, description="When the last webhook of this credential's app arrived, to within an hour."
    )
    last_handled_refresh_request: str | None = Field(
        default=None,
        max_length=256,
        description="The value of the annotation meetingbots.dev/refresh-requested-at that was handled last.",
    )
    last_handled_sync_request: str | None = Field(
        default=None,
        max_length=256,
        description="The value of the annotation meetingbots.dev/sync-requested-at that was handled last.",
    )

"""How a credential stands: its reasons and its status, which mirrors what the token Secret holds."""

# ruff: noqa: S105  (names of reasons, not secrets)

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from meetingbots.models.base import MAX_INTEGER, MeetingId, Message, Model, ObjectName, Time, extension
from meetingbots.models.conditions import Condition

ZoomId = Annotated[str, Field(max_length=128)]
"""The id of a user or an account, as Zoom writes it; case matters."""

MAX_CONSENTS: Final = 8
"""Answers of Zoom's consent page that one credential's status has room for."""

Scope = Annotated[str, Field(max_length=256)]


class CredentialReason(StrEnum):
    """Reasons of a ZoomCredential's condition Ready, and of those that follow from it."""

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
    """Reasons of a ZoomCredential's condition MeetingsSynced."""

    SYNCED = "Synced"
    SYNCING = "Syncing"
    SYNC_FAILED = "SyncFailed"
    SYNC_DISABLED = "SyncDisabled"
    CREDENTIAL_NOT_READY = "CredentialNotReady"
    SCOPES_MISSING = "ScopesMissing"
    SUSPENDED = "Suspended"


class WebhookReason(StrEnum):
    """Reasons of a ZoomCredential's condition WebhookReceiving."""

    RECEIVING = "Receiving"
    NOTHING_RECEIVED = "NothingReceived"


class CredentialError(Model):
    """The last thing that went wrong between us and Zoom."""

    reason: str = Field(default="", max_length=256, description="The cause in one CamelCase word, as in conditions.")
    code: str = Field(
        default="", max_length=64, description="Zoom's own error code or the HTTP status, if there was one."
    )
    message: Message = Field(default="", description="What happened, in words, without anything secret.")
    time: Time | None = Field(default=None, description="When it happened.")


class SyncProgress(Model):
    """A read of the meetings that is under way."""

    start_time: Time | None = Field(default=None, description="When the read that is under way began.")
    users_done: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Users whose meetings have been read (level Account)."
    )
    users_total: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Users whose meetings are to be read (level Account)."
    )
    meetings_read: int | None = Field(default=None, ge=0, le=MAX_INTEGER, description="Meetings read so far.")


class MeetingsStatus(Model):
    """What is known of the credential's meetings."""

    count: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="Meetings found by the last complete read."
    )
    last_sync_time: Time | None = Field(default=None, description="When the last complete read of the meetings ended.")
    next_sync_time: Time | None = Field(default=None, description="When the meetings are to be read next.")
    progress: SyncProgress | None = Field(
        default=None, description="The read that is under way; absent while there is none."
    )


class Deauthorization(Model):
    """What Zoom told about the removal of the app by its user."""

    time: Time | None = Field(default=None, description="When the user removed the app, as Zoom tells.")
    user_data_retention: bool | None = Field(
        default=None,
        description="Whether the user allowed data to be kept; if false it must be gone within 10 days.",
    )


class ReceivedConsent(Model):
    """A person's yes at Zoom (grant connect) that the receiver took: the Secret with the code, for the operator."""

    secret_name: ObjectName = Field(
        description="Name of the Secret with the authorization code; the operator deletes it once it was used."
    )
    time: Time = Field(description="When Zoom sent the person back with the code.")


class HandledConsent(Model):
    """What became of a person's yes at Zoom (grant connect)."""

    secret_name: ObjectName = Field(description="The name in receivedConsents that this is about.")
    time: Time = Field(description="When it was dealt with.")
    reason: str = Field(
        min_length=1,
        max_length=256,
        description="Accepted, LinkUsed, or why it did not lead to a token, as in the condition Ready.",
    )
    code: str = Field(default="", max_length=64, description="Zoom's own error code, if there was one.")
    message: Message = Field(default="", description="What happened, in words, without anything secret.")


class RemovalKind(StrEnum):
    """How a user went, as Zoom's event says it."""

    DEACTIVATED = "Deactivated"
    DELETED = "Deleted"
    DISASSOCIATED = "Disassociated"


class UserRemoval(Model):
    """What Zoom told when the user was deactivated, deleted or taken out of the account."""

    time: Time | None = Field(default=None, description="When it happened, as Zoom tells.")
    kind: RemovalKind | None = Field(
        default=None, description="What happened to the user: Deactivated, Deleted or Disassociated."
    )


class Notification(Model):
    """What the namespace's webhook was told of a credential last."""

    type: str = Field(
        default="", max_length=64, description="What was told: credential.ready or credential.needs_user."
    )
    reason: str = Field(default="", max_length=256, description="The reason of Ready that was told.")
    time: Time | None = Field(default=None, description="When the other side took it.")


class CredentialStatus(Model):
    """What the operator found."""

    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        le=MAX_INTEGER,
        description="The metadata.generation that this status was made from; -1 before the first look.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (a usable access token exists), MeetingsSynced, WebhookReceiving, GrantRejected, and "
        "Reconciling and Stalled while they are True.",
        json_schema_extra=extension(list_type="map", list_key="type"),
    )
    user_id: ZoomId | None = Field(default=None, description="Zoom's id of the user who consented.")
    account_id: ZoomId | None = Field(default=None, description="Zoom's id of that user's account.")
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
        description="Scopes that are needed and were not granted; the condition's message says what is off for it.",
        json_schema_extra=extension(list_type="atomic"),
    )
    expires_at: Time | None = Field(default=None, description="When the present access token expires.")
    last_refresh_time: Time | None = Field(default=None, description="When the access token was last renewed.")
    next_refresh_time: Time | None = Field(default=None, description="When it is to be renewed next.")
    consecutive_failures: int = Field(
        default=0, ge=0, le=MAX_INTEGER, description="Failed tries to renew it since the last success."
    )
    last_error: CredentialError | None = Field(
        default=None, description="The last thing that went wrong; it stays after it was mended, with its time."
    )
    meetings: MeetingsStatus | None = Field(default=None, description="What is known of the credential's meetings.")
    connect_url: str | None = Field(
        default=None,
        alias="connectURL",
        max_length=2048,
        repr=False,
        description="Link at which the end user gives the consent (grant connect). Absent once it was given.",
    )
    received_consents: list[ReceivedConsent] = Field(
        default_factory=list,
        max_length=MAX_CONSENTS,
        description="Answers of Zoom's consent page that the receiver has put into Secrets (grant connect). Those that "
        "are not among handledConsents are waiting for the operator.",
        json_schema_extra=extension(list_type="atomic"),
    )
    handled_consents: list[HandledConsent] = Field(
        default_factory=list,
        max_length=MAX_CONSENTS,
        description="What became of receivedConsents, for the page that the person is looking at.",
        json_schema_extra=extension(list_type="atomic"),
    )
    deauthorization: Deauthorization | None = Field(
        default=None, description="What Zoom told when the user removed the app; absent otherwise."
    )
    ended_grant: str | None = Field(
        default=None,
        max_length=256,
        description="The grant (its fingerprint, nothing secret) whose consent ended when the user removed the app: it "
        "is not asked with again.",
    )
    user_removal: UserRemoval | None = Field(
        default=None,
        description="What Zoom told when the user was deactivated, deleted or taken out of the account; absent "
        "otherwise, and once the user is active again.",
    )
    last_notification: Notification | None = Field(
        default=None,
        description="What the webhook in the namespace's Secret meetingbots-notify was told last; absent without one.",
    )
    last_webhook_time: Time | None = Field(
        default=None, description="When Zoom's last webhook for this credential's app came, to within an hour."
    )
    last_handled_refresh_request: str | None = Field(
        default=None,
        max_length=256,
        description="The value of the annotation meetingbots.dev/refresh-requested-at that was last acted on.",
    )
    last_handled_sync_request: str | None = Field(
        default=None,
        max_length=256,
        description="The value of the annotation meetingbots.dev/sync-requested-at that was last acted on.",
    )

"""ZoomCredential: one Zoom user or account that consented.

The spec says where the consent comes from (the grant) and how its tokens are stored; the status mirrors the token
Secret, which is the source of truth.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meetingbots.models.base import MAX_SECONDS, Model, ObjectName, rules
from meetingbots.models.credential_grant import (
    AccessTokenURLGrant,
    AuthorizationCodeGrant,
    ConnectGrant,
    Grant,
    GrantKind,
    RefreshTokenGrant,
    ServerToServerGrant,
)
from meetingbots.models.credential_status import (
    CredentialError,
    CredentialReason,
    CredentialStatus,
    Deauthorization,
    HandledConsent,
    MeetingsStatus,
    Notification,
    ReceivedConsent,
    RemovalKind,
    SyncProgress,
    SyncReason,
    UserRemoval,
    WebhookReason,
)
from meetingbots.models.metadata import CustomResource, NameReference
from meetingbots.models.names import CREDENTIAL_KIND, CREDENTIAL_PLURAL

__all__ = [
    "DEFAULT_SYNC_INTERVAL_SECONDS",
    "AccessTokenURLGrant",
    "AuthorizationCodeGrant",
    "ConnectGrant",
    "CredentialError",
    "CredentialReason",
    "CredentialSpec",
    "CredentialStatus",
    "Deauthorization",
    "Grant",
    "GrantKind",
    "HandledConsent",
    "Level",
    "MeetingSyncSettings",
    "MeetingsStatus",
    "Notification",
    "RateLimit",
    "ReceivedConsent",
    "RefreshPolicy",
    "RefreshTokenGrant",
    "RemovalKind",
    "ServerToServerGrant",
    "SyncProgress",
    "SyncReason",
    "TokenDeletionPolicy",
    "UserRemoval",
    "WebhookReason",
    "ZoomCredential",
    "ZoomPlan",
]

DEFAULT_SYNC_INTERVAL_SECONDS = 86_400


class Level(StrEnum):
    """Which meetings a credential is responsible for."""

    USER = "User"
    ACCOUNT = "Account"


class TokenDeletionPolicy(StrEnum):
    """Whether the token Secret is deleted with the ZoomCredential."""

    RETAIN = "Retain"
    DELETE = "Delete"


class RefreshPolicy(StrEnum):
    """When the access token is refreshed."""

    CONTINUOUS = "Continuous"
    ON_DEMAND = "OnDemand"


class ZoomPlan(StrEnum):
    """The Zoom account's plan, which determines its rate limits."""

    FREE = "Free"
    PRO = "Pro"
    BUSINESS = "Business"


class MeetingSyncSettings(Model):
    """Whether and how often the meetings are read from Zoom, in addition to webhooks."""

    enabled: bool | None = Field(
        default=None,
        description="Whether the operator reads the meetings from Zoom and maps them. Default: true for level User, "
        "false for level "
        "Account.",
    )
    interval_seconds: int = Field(
        default=DEFAULT_SYNC_INTERVAL_SECONDS,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds between two reads of the meetings. Default: 86400 (one day).",
    )


class RateLimit(Model):
    """The Zoom account's rate limit, and the operator's share of it."""

    plan: ZoomPlan = Field(
        default=ZoomPlan.PRO,
        description="The Zoom account's plan, which determines its rate limits: Free, Pro or Business (and above). "
        "Default: Pro.",
    )
    share_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Percentage of the account's limit that the operator may use; the rest is for the account's other "
        "apps. Default: 50.",
    )


class CredentialSpec(Model):
    """The desired state."""

    app_secret_ref: NameReference = Field(
        description="Secret with the Zoom app: keys client_id, client_secret and webhook_secret_token; optional "
        "previous_webhook_secret_token (while it is rotated), account_id (of the app's owner) and environment (zoom.us "
        "or zoomgov.com)."
    )
    level: Level = Field(
        default=Level.USER,
        description="Which meetings the credential is responsible for: User (the user's own) or Account (all of the "
        "account). Default: User.",
    )
    grant: Grant = Field(description="Where the consent comes from: exactly one field must be set.")
    token_secret_name: ObjectName | None = Field(
        default=None,
        description="Name of the Secret in which the operator stores the tokens. Default: the credential's name "
        "followed by -zoom-token.",
    )
    token_deletion_policy: TokenDeletionPolicy = Field(
        default=TokenDeletionPolicy.RETAIN,
        description="Whether the token Secret is deleted with the ZoomCredential: Retain (a re-created credential "
        "uses it "
        "again) or Delete. Default: Retain.",
    )
    refresh_policy: RefreshPolicy = Field(
        default=RefreshPolicy.CONTINUOUS,
        description="When the access token is refreshed: Continuous (always valid) or OnDemand (when a bot or a sync "
        "needs it, and at least every 30 days). Default: Continuous.",
    )
    meeting_sync: MeetingSyncSettings = Field(
        default_factory=MeetingSyncSettings,
        description="Whether and how often the operator reads the meetings from Zoom, in addition to webhooks.",
        json_schema_extra={"default": {}},
    )
    rate_limit: RateLimit = Field(
        default_factory=RateLimit,
        description="The Zoom account's rate limit and the operator's share of it. If several credentials belong to "
        "one account, the lowest values of a namespace apply, and the highest of all namespaces.",
        json_schema_extra={"default": {}},
    )
    suspend: bool = Field(
        default=False,
        description="Stops all calls to Zoom for this credential while it is true. Default: false.",
    )


class ZoomCredential(CustomResource):
    """The consent of one Zoom user or account; the operator keeps its access token valid in a Secret.

    Mappings and bots in the same namespace use it to create join tokens.
    """

    KIND: ClassVar[str] = CREDENTIAL_KIND
    PLURAL: ClassVar[str] = CREDENTIAL_PLURAL

    model_config = rules(
        (
            "has(self.spec.tokenSecretName) || self.metadata.name.size() <= 242",
            "a name of more than 242 characters needs spec.tokenSecretName, because the default adds -zoom-token",
        )
    )

    spec: CredentialSpec = Field(description="The desired state: the Zoom app, the grant, and how tokens are stored.")
    status: CredentialStatus = Field(
        default_factory=CredentialStatus,
        description="The observed state: the user who consented, and the state of the consent.",
    )

    @property
    def token_secret_name(self) -> str:
        """Name of the token Secret: by the spec, else NAME-zoom-token."""
        return self.spec.token_secret_name or f"{self.metadata.name}-zoom-token"

    @property
    def sync_enabled(self) -> bool:
        """Whether meetings are read: by the spec, else only at level User."""
        enabled = self.spec.meeting_sync.enabled
        return self.spec.level is Level.USER if enabled is None else enabled

"""ZoomCredential: one Zoom user or account that gave its consent. A token's way starts here.

The spec says how the consent is had (the grant) and how its tokens are kept; the status mirrors the token Secret, which
holds the truth.
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
    "MeetingSync",
    "MeetingsStatus",
    "Notification",
    "Plan",
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
]

DEFAULT_SYNC_INTERVAL_SECONDS = 86_400


class Level(StrEnum):
    """Whose meetings a credential may speak for."""

    USER = "User"
    ACCOUNT = "Account"


class TokenDeletionPolicy(StrEnum):
    """What becomes of the token Secret when the ZoomCredential is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class RefreshPolicy(StrEnum):
    """When the access token is renewed."""

    CONTINUOUS = "Continuous"
    ON_DEMAND = "OnDemand"


class Plan(StrEnum):
    """The Zoom account's plan, which decides its rate limits."""

    FREE = "Free"
    PRO = "Pro"
    BUSINESS = "Business"


class MeetingSync(Model):
    """Whether and how often the meetings are read from Zoom, besides what webhooks tell."""

    enabled: bool | None = Field(
        default=None,
        description="Whether meetings are read from Zoom and mapped. Default: true for level User, false for level "
        "Account.",
    )
    interval_seconds: int = Field(
        default=DEFAULT_SYNC_INTERVAL_SECONDS,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds between two reads of the meetings. Default: 86400, a day.",
    )


class RateLimit(Model):
    """The Zoom account's rate limit, and our share of it."""

    plan: Plan = Field(
        default=Plan.PRO,
        description="The Zoom account's plan, which decides its rate limits: Free, Pro or Business (and above). "
        "Default: Pro.",
    )
    share_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Percentage of the account's limit that may be used; the rest is left to the account's other "
        "apps. Default: 50.",
    )


class CredentialSpec(Model):
    """What the author wants."""

    app_secret_ref: NameReference = Field(
        description="Secret with the Zoom app: keys client_id, client_secret and webhook_secret_token; optional "
        "previous_webhook_secret_token (while it is rotated) and account_id (of the app's owner)."
    )
    level: Level = Field(
        default=Level.USER,
        description="Whose meetings the credential may speak for: User (its own) or Account (everyone's in the "
        "account). Default: User.",
    )
    grant: Grant = Field(description="How the consent is had: exactly one of its fields must be set.")
    token_secret_name: ObjectName | None = Field(
        default=None,
        description="Name of the Secret that the operator keeps the tokens in. Default: the credential's name "
        "followed by -zoom-token.",
    )
    token_deletion_policy: TokenDeletionPolicy = Field(
        default=TokenDeletionPolicy.RETAIN,
        description="What becomes of the token Secret when the ZoomCredential is deleted: Retain (it is used again "
        "when the credential comes back) or Delete. Default: Retain.",
    )
    refresh_policy: RefreshPolicy = Field(
        default=RefreshPolicy.CONTINUOUS,
        description="When the access token is renewed: Continuous (always valid) or OnDemand (when a bot or a sync "
        "needs it, and at least every 30 days). Default: Continuous.",
    )
    meeting_sync: MeetingSync = Field(
        default_factory=MeetingSync,
        description="Whether and how often meetings are read from Zoom, besides what webhooks tell.",
        json_schema_extra={"default": {}},
    )
    rate_limit: RateLimit = Field(
        default_factory=RateLimit,
        description="The Zoom account's rate limit and our share of it. With several credentials of one account the "
        "lowest values win.",
        json_schema_extra={"default": {}},
    )
    suspend: bool = Field(
        default=False,
        description="Stops all calls to Zoom for this credential until it is false again. Default: false.",
    )


class ZoomCredential(CustomResource):
    """The consent of one Zoom user or account, with its access token kept valid in a Secret.

    Mappings and bots in the same namespace use it to make join tokens.
    """

    KIND: ClassVar[str] = CREDENTIAL_KIND
    PLURAL: ClassVar[str] = CREDENTIAL_PLURAL

    model_config = rules(
        (
            "has(self.spec.tokenSecretName) || self.metadata.name.size() <= 242",
            "a name of more than 242 characters needs spec.tokenSecretName, because the default adds -zoom-token",
        )
    )

    spec: CredentialSpec = Field(description="What is wanted: the Zoom app, the grant, and how tokens are kept.")
    status: CredentialStatus = Field(
        default_factory=CredentialStatus, description="What the operator found: whose consent it is and how it stands."
    )

    @property
    def token_secret_name(self) -> str:
        """Name of the Secret that the tokens are kept in: as the spec says, else NAME-zoom-token."""
        return self.spec.token_secret_name or f"{self.metadata.name}-zoom-token"

    @property
    def sync_enabled(self) -> bool:
        """Whether meetings are read: as the spec says, else only at level User."""
        enabled = self.spec.meeting_sync.enabled
        return self.spec.level is Level.USER if enabled is None else enabled

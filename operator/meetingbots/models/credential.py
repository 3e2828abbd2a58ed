"""ZoomCredential: one Zoom user or account that gave its consent. A token's way starts here.

The spec says how the consent is had (the grant) and how its tokens are kept; the status mirrors the token Secret, which
holds the truth.
"""
# ruff: noqa: S105  (names of reasons and objects, not secrets)

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from meetingbots.models.base import (
    MAX_INTEGER,
    MAX_SECONDS,
    MeetingId,
    Message,
    Model,
    ObjectName,
    Time,
    extension,
    rules,
)
from meetingbots.models.conditions import Condition
from meetingbots.models.metadata import NameReference, Resource, SecretKey, SecretKeyReference
from meetingbots.models.names import CREDENTIAL_KIND, CREDENTIAL_PLURAL

ZoomId = Annotated[str, Field(max_length=128)]
"""The id of a user or an account, as Zoom writes it; case matters."""

Scope = Annotated[str, Field(max_length=256)]

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


class GrantKind(StrEnum):
    """The five ways to a consent, by the name of their field in spec.grant."""

    REFRESH_TOKEN = "refreshToken"
    AUTHORIZATION_CODE = "authorizationCode"
    SERVER_TO_SERVER = "serverToServer"
    ACCESS_TOKEN_URL = "accessTokenURL"
    CONNECT = "connect"


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


class RefreshTokenGrant(Model):
    """A refresh token that the author already has, in a Secret of the author's own."""

    secret_key_ref: SecretKeyReference = Field(
        description="The Secret and key with the refresh token. It is read once for each value and never written; "
        "a changed value is a new consent."
    )


class AuthorizationCodeGrant(Model):
    """An authorization code from Zoom's consent page, in a Secret of the author's own. Zoom takes it once."""

    secret_key_ref: SecretKeyReference = Field(
        description="The Secret and key with the authorization code, which Zoom takes once and within 5 minutes."
    )
    redirect_uri: str = Field(
        alias="redirectURI",
        min_length=1,
        max_length=2048,
        description="The redirect URI that the code was requested with, letter for letter.",
    )
    code_verifier_key: SecretKey | None = Field(
        default=None,
        description="Key, in the same Secret, of the PKCE code verifier, if the code was requested with a challenge.",
    )


class ServerToServerGrant(Model):
    """A server-to-server OAuth app: Zoom gives its tokens without a user's consent."""

    account_id: str = Field(
        min_length=1, max_length=128, description="Id of the Zoom account that the server-to-server app belongs to."
    )


class AccessTokenURLGrant(Model):
    """The customer keeps the tokens: an address of theirs answers with an access token as plain text."""

    url: str = Field(
        min_length=1,
        max_length=2048,
        repr=False,
        description="Address (https) that answers a GET with an access token as plain text. Its host must be among "
        "the operator's allowed token URL hosts.",
    )
    headers_secret_ref: NameReference | None = Field(
        default=None,
        description="Secret whose keys and values are sent as headers. It must have the label "
        '`meetingbots.dev/allow-headers: "true"`.',
    )


class ConnectGrant(Model):
    """The end user gives the consent on a page that status.connectURL leads to."""

    expected_email: str | None = Field(
        default=None,
        min_length=3,
        max_length=254,
        description="E-mail address of the Zoom user who is expected to consent; another user is refused.",
    )
    expected_account_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Id of the Zoom account whose user is expected to consent; another account is refused.",
    )
    return_url: str | None = Field(
        default=None,
        alias="returnURL",
        min_length=1,
        max_length=2048,
        description="Address (https) that the person is sent back to after the consent. Its host must be allowed by "
        "the operator's settings.",
        json_schema_extra=extension(("self.startsWith('https://')", "returnURL must begin with https://")),
    )


_ONE_GRANT = (
    "exactly one of refreshToken, authorizationCode, serverToServer, accessTokenURL and connect must be set in grant"
)


class Grant(Model):
    """How the consent of the Zoom user or account is had: exactly one of five ways."""

    model_config = rules(
        (
            "[has(self.refreshToken), has(self.authorizationCode), has(self.serverToServer), "
            "has(self.accessTokenURL), has(self.connect)].filter(given, given).size() == 1",
            _ONE_GRANT,
        )
    )

    refresh_token: RefreshTokenGrant | None = Field(
        default=None, description="The author has a refresh token. Its rotated successors are kept in the token Secret."
    )
    authorization_code: AuthorizationCodeGrant | None = Field(
        default=None, description="The author has an authorization code from Zoom's consent page."
    )
    server_to_server: ServerToServerGrant | None = Field(
        default=None, description="The app is a server-to-server OAuth app of this account; no person consents."
    )
    access_token_url: AccessTokenURLGrant | None = Field(
        default=None,
        alias="accessTokenURL",
        description="The customer keeps the tokens and gives out access tokens at an address of theirs.",
    )
    connect: ConnectGrant | None = Field(
        default=None,
        description="The end user consents in the browser, at the link in status.connectURL. May be empty: `{}`.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Grant":
        if sum(getattr(self, field) is not None for field in type(self).model_fields) != 1:
            raise ValueError(_ONE_GRANT)
        return self

    @property
    def kind(self) -> GrantKind:
        """Which of the five ways is used."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) is not None:
                return GrantKind(field.alias or name)
        raise AssertionError(_ONE_GRANT)  # ruled out by validation


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


class CredentialStatus(Model):
    """What the operator found."""

    observed_generation: int | None = Field(
        default=None,
        ge=0,
        le=MAX_INTEGER,
        description="The metadata.generation that this status was made from.",
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
    deauthorization: Deauthorization | None = Field(
        default=None, description="What Zoom told when the user removed the app; absent otherwise."
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


class ZoomCredential(Resource):
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

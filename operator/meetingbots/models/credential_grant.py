"""The five ways to a consent: where the first token of a credential comes from."""

# ruff: noqa: S105  (names of grants, not secrets)

from enum import StrEnum

from pydantic import Field, model_validator

from meetingbots.models.base import Model, extension, rules
from meetingbots.models.metadata import NameReference, SecretKey, SecretKeyReference


class GrantKind(StrEnum):
    """The five ways to a consent, by the name of their field in spec.grant."""

    REFRESH_TOKEN = "refreshToken"
    AUTHORIZATION_CODE = "authorizationCode"
    SERVER_TO_SERVER = "serverToServer"
    ACCESS_TOKEN_URL = "accessTokenURL"
    CONNECT = "connect"


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

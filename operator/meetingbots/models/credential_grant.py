"""The five kinds of grants: where the first token of a credential comes from."""

# ruff: noqa: S105  (names of grants, not secrets)

from enum import StrEnum

from pydantic import Field, model_validator

from meetingbots.models.base import Model, extension, rules
from meetingbots.models.metadata import NameReference, SecretKey, SecretKeyReference


class GrantKind(StrEnum):
    """The kinds of grants, by the name of their field in spec.grant."""

    REFRESH_TOKEN = "refreshToken"
    AUTHORIZATION_CODE = "authorizationCode"
    SERVER_TO_SERVER = "serverToServer"
    ACCESS_TOKEN_URL = "accessTokenURL"
    CONNECT = "connect"


class RefreshTokenGrant(Model):
    """A refresh token in a Secret of the author's."""

    secret_key_ref: SecretKeyReference = Field(
        description="The Secret and key with the refresh token. The operator never writes it; a changed value is a new "
        "consent."
    )


class AuthorizationCodeGrant(Model):
    """An authorization code from Zoom's consent page, in a Secret of the author's. It is valid once."""

    secret_key_ref: SecretKeyReference = Field(
        description="The Secret and key with the authorization code, which is valid once and for 5 minutes."
    )
    redirect_uri: str = Field(
        alias="redirectURI",
        min_length=1,
        max_length=2048,
        description="The redirect URI of the code's request, character by character.",
    )
    code_verifier_key: SecretKey | None = Field(
        default=None,
        description="Key, in the same Secret, of the PKCE code verifier, if the code was requested with a challenge.",
    )


class ServerToServerGrant(Model):
    """A server-to-server OAuth app: Zoom issues its tokens without a user's consent."""

    account_id: str = Field(
        min_length=1, max_length=128, description="Id of the Zoom account that the server-to-server app belongs to."
    )


class AccessTokenURLGrant(Model):
    """A server of the customer's holds the tokens and returns an access token as plain text."""

    url: str = Field(
        min_length=1,
        max_length=2048,
        repr=False,
        description="Address (https) that returns an access token as plain text to a GET. Its host must be among "
        "the operator's allowed token URL hosts.",
    )
    headers_secret_ref: NameReference | None = Field(
        default=None,
        description="Secret with headers to send: each key is a name. It must have the label "
        '`meetingbots.dev/allow-headers: "true"`.',
    )


class ConnectGrant(Model):
    """The end user consents on the page at status.connectURL."""

    expected_email: str | None = Field(
        default=None,
        min_length=3,
        max_length=254,
        description="E-mail address of the Zoom user who must consent; another user is rejected.",
    )
    expected_account_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Id of the Zoom account of the user who must consent; another account is rejected.",
    )
    return_url: str | None = Field(
        default=None,
        alias="returnURL",
        min_length=1,
        max_length=2048,
        description="Address (https) to which the page leads after the consent. Its host must be allowed by "
        "the operator's settings.",
        json_schema_extra=extension(("self.startsWith('https://')", "returnURL must begin with https://")),
    )


_ONE_GRANT = (
    "exactly one of refreshToken, authorizationCode, serverToServer, accessTokenURL and connect must be set in grant"
)


class Grant(Model):
    """Where the consent of the Zoom user or account comes from: exactly one of five."""

    model_config = rules(
        (
            "[has(self.refreshToken), has(self.authorizationCode), has(self.serverToServer), "
            "has(self.accessTokenURL), has(self.connect)].filter(given, given).size() == 1",
            _ONE_GRANT,
        )
    )

    refresh_token: RefreshTokenGrant | None = Field(
        default=None, description="A refresh token of the author's. Its successors are stored in the token Secret."
    )
    authorization_code: AuthorizationCodeGrant | None = Field(
        default=None, description="An authorization code from Zoom's consent page."
    )
    server_to_server: ServerToServerGrant | None = Field(
        default=None, description="The app is a server-to-server OAuth app of this account; no person consents."
    )
    access_token_url: AccessTokenURLGrant | None = Field(
        default=None,
        alias="accessTokenURL",
        description="A server of the customer's holds the tokens and returns access tokens.",
    )
    connect: ConnectGrant | None = Field(
        default=None,
        description="The end user consents in a browser, at the link in status.connectURL. May be empty: `{}`.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Grant":
        if sum(getattr(self, field) is not None for field in type(self).model_fields) != 1:
            raise ValueError(_ONE_GRANT)
        return self

    @property
    def kind(self) -> GrantKind:
        """Which of the five kinds is set."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) is not None:
                return GrantKind(field.alias or name)
        raise AssertionError(_ONE_GRANT)  # ruled out by validation

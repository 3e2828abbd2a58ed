"""Records of Zoom's OAuth server: consents and the codes and tokens that come from them."""

from dataclasses import dataclass, field

from .scopes import Level


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One user's consent to one app. `revoked` makes all its tokens invalid."""

    id: str
    client_id: str
    user_id: str
    account_id: str
    scopes: tuple[str, ...]
    level: Level
    revoked: bool = False


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """A bearer token. Without `consent_id` it is a server-to-server token, or (`user_id` None too) an app's own."""

    value: str = field(repr=False)
    client_id: str
    account_id: str
    user_id: str | None
    scopes: frozenset[str]
    level: Level
    expires_at: float
    consent_id: str | None


@dataclass(frozen=True, kw_only=True)
class Issued:
    """The content of a token endpoint's answer."""

    access: AccessToken
    refresh_token: str | None = field(repr=False)
    expires_in: int


@dataclass(frozen=True, kw_only=True)
class Code:
    """An authorization code and the conditions of its redemption."""

    consent: Consent
    redirect_uri: str
    challenge: str | None
    expires_at: float
    spent: bool = False


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """A refresh token's state; `rotated`: it was used."""

    consent_id: str
    expires_at: float
    rotated: bool = False

"""The state of Zoom's OAuth server, codes, access tokens and refresh tokens, and its rules for them."""

import base64
import hashlib
import hmac
from dataclasses import replace

from .clock import SimClock
from .errors import NoSuchObject, OAuthError, expired_token, invalid_token
from .grants import AccessToken, Code, Consent, Issued, RefreshToken
from .identifiers import TokenForge, new_secret
from .recorder import Recorder
from .scopes import Level
from .world import App, User, World

CODE_SECONDS = 300
REFRESH_TOKEN_SECONDS = 90 * 86400


class Consents:
    """Zoom's OAuth state. Every refusal is an OAuthError (token endpoint) or a ZoomError (REST)."""

    def __init__(self, *, clock: SimClock, world: World, recorder: Recorder) -> None:
        self._clock = clock
        self._world = world
        self._recorder = recorder
        self._forge = TokenForge()
        self._codes: dict[str, Code] = {}
        self._consents: dict[str, Consent] = {}
        self._current: dict[tuple[str, str], str] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._installed: set[tuple[str, str]] = set()

    def authorize(
        self,
        *,
        app: App,
        user: User,
        redirect_uri: str,
        challenge: str | None = None,
        scopes: tuple[str, ...] | None = None,
    ) -> str:
        """Record a user's consent and make its code: valid for 5 minutes, for one use."""
        code = self._recorder.secret(new_secret(33), kind="authorization code")
        self._codes[code] = Code(
            consent=self._new_consent(app=app, user=user, scopes=scopes),
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=self._clock.now() + CODE_SECONDS,
        )
        return code

    def redeem(self, *, app: App, code: str, redirect_uri: str, verifier: str | None) -> Issued:
        """Exchange a code for tokens; the user's earlier tokens for this app become invalid."""
        known = self._codes.get(code)
        if known is None or known.spent or known.consent.client_id != app.client_id:
            # Zoom's own answer quotes the code, so a client that logs reasons logs secrets.
            raise OAuthError(error="invalid_request", reason=f"Invalid authorization code {code} (4734)")
        if self._clock.now() >= known.expires_at:
            raise OAuthError(error="invalid_grant", reason="The authorization code has expired. (4733)")
        if redirect_uri != known.redirect_uri:
            raise OAuthError(error="invalid_request", reason="Redirect URI mismatch. (4709)")
        self._codes[code] = replace(known, spent=True)
        if not _verifier_fits(challenge=known.challenge, verifier=verifier):
            raise OAuthError(error="invalid_grant", reason="Invalid code verifier.")
        return self._install(app=app, consent=known.consent)

    def grant(self, *, app: App, user: User, scopes: tuple[str, ...] | None = None) -> Issued:
        """Consent and redeem in one step, for tests that need no browser."""
        return self._install(app=app, consent=self._new_consent(app=app, user=user, scopes=scopes))

    def refresh(self, *, app: App, refresh_token: str) -> Issued:
        """Rotate: a new pair of tokens; the old refresh token is invalid at once, without a grace period."""
        known = self._refresh.get(refresh_token)
        user_id = self._consents[known.consent_id].user_id if known else None
        self._recorder.refresh_used(refresh_token, user_id=user_id, rotated=known is not None and known.rotated)
        if known is None or known.rotated or self._consents[known.consent_id].client_id != app.client_id:
            raise OAuthError(error="invalid_grant", reason="Invalid Token!")
        consent = self._consents[known.consent_id]
        if consent.revoked:
            raise OAuthError(error="invalid_grant", reason="The token has been revoked. (4741)")
        if self._clock.now() >= known.expires_at:
            raise OAuthError(error="invalid_grant", reason="Refresh token not found. (4737)")
        if consent.user_id not in self._world.users:
            raise OAuthError(error="invalid_grant", reason="The owner of the token does not exist. (4735)")
        if consent.account_id in app.disabled_by_accounts:
            raise OAuthError(error="access_denied", reason="The app was disabled by the account's admin. (4738)")
        self._refresh[refresh_token] = replace(known, rotated=True)
        return self._issue(app=app, consent=consent)

    def server_to_server(self, *, app: App, account_id: str) -> Issued:
        """Make an account-level token for the account's own app; earlier ones stay valid."""
        if not app.server_to_server:
            raise OAuthError(error="unsupported_grant_type", reason="unsupported grant type (4705)")
        if account_id != app.owner_account_id:
            raise OAuthError(error="invalid_request", reason="Invalid account_id.")
        if account_id in app.disabled_by_accounts:
            raise OAuthError(error="access_denied", reason="The app was disabled by the account's admin. (4738)")
        owner = self._world.account_owner(account_id)
        access = self._access_token(
            app=app, account_id=account_id, user_id=owner.id, scopes=app.asked_scopes, level="account", consent_id=None
        )
        return Issued(access=access, refresh_token=None, expires_in=app.access_token_seconds)

    def client_only(self, *, app: App) -> Issued:
        """Make the app's own token; it proves only that id and secret are right."""
        access = self._access_token(
            app=app, account_id=app.owner_account_id, user_id=None, scopes=(), level="user", consent_id=None
        )
        return Issued(access=access, refresh_token=None, expires_in=app.access_token_seconds)

    def lend(self, *, app: App, user: User) -> AccessToken:
        """Make one more access token of a user's present consent, for a customer who keeps the tokens."""
        consent_id = self._current.get((app.client_id, user.id))
        if consent_id is None:
            raise NoSuchObject("the user has not consented to the app")
        consent = self._consents[consent_id]
        return self._access_token(
            app=app,
            account_id=consent.account_id,
            user_id=consent.user_id,
            scopes=consent.scopes,
            level=consent.level,
            consent_id=consent.id,
        )

    def revoke_token(self, *, app: App, token: str) -> None:
        """Do what `/oauth/revoke` does: the consent behind an access or refresh token loses all its tokens."""
        access = self._access.get(token)
        refresh = self._refresh.get(token)
        consent_id = access.consent_id if access else refresh.consent_id if refresh else None
        if consent_id is not None and self._consents[consent_id].client_id == app.client_id:
            self._kill(consent_id)
        elif access is not None and access.client_id == app.client_id:
            del self._access[token]
        else:
            raise OAuthError(error="invalid_request", reason="Invalid Token!")

    def revoke(self, *, client_id: str, user_id: str) -> None:
        """Revoke the tokens of a user's present consent to an app."""
        consent_id = self._current.get((client_id, user_id))
        if consent_id is not None:
            self._kill(consent_id)

    def uninstall(self, *, client_id: str, user_id: str) -> None:
        """Revoke, and let the app have no more events of this user."""
        self.revoke(client_id=client_id, user_id=user_id)
        self._installed.discard((client_id, user_id))

    def revoke_bearer(self, token: str) -> None:
        """Revoke the consent of this access or refresh token, if there is one (for the fault `revoke`)."""
        access, refresh = self._access.get(token), self._refresh.get(token)
        consent_id = access.consent_id if access else refresh.consent_id if refresh else None
        if consent_id is not None:
            self._kill(consent_id)
        self._access.pop(token, None)

    def peek(self, token: str) -> AccessToken | None:
        """Get a token's record, valid or not."""
        return self._access.get(token)

    def check(self, token: str) -> AccessToken:
        """Get a valid user or account token; ZoomError 401/124 otherwise."""
        access = self._access.get(token)
        if access is None or access.user_id not in self._world.users:
            raise invalid_token()
        if access.consent_id is not None and self._consents[access.consent_id].revoked:
            raise invalid_token()
        app = self._world.app(access.client_id)
        if app.disabled or access.account_id in app.disabled_by_accounts:
            raise invalid_token()
        if self._clock.now() >= access.expires_at:
            raise expired_token()
        return access

    def subscribers(self, *, account_id: str, user_id: str) -> list[str]:
        """Client ids of the apps that Zoom sends this user's events: installed by the user, or for the account."""
        return [app.client_id for app in self._world.apps.values() if self._receives(app, account_id, user_id)]

    def _receives(self, app: App, account_id: str, user_id: str) -> bool:
        if app.server_to_server:
            return app.owner_account_id == account_id
        if (app.client_id, user_id) in self._installed:
            return True
        return app.level == "account" and (app.client_id, account_id) in self._installed

    def _new_consent(self, *, app: App, user: User, scopes: tuple[str, ...] | None) -> Consent:
        granted = app.asked_scopes if scopes is None else scopes
        consent = Consent(
            id=new_secret(),
            client_id=app.client_id,
            user_id=user.id,
            account_id=user.account_id,
            scopes=granted,
            level=app.level,
        )
        self._consents[consent.id] = consent
        return consent

    def _install(self, *, app: App, consent: Consent) -> Issued:
        key = (consent.client_id, consent.user_id)
        if key in self._current:
            self._kill(self._current[key])
        self._current[key] = consent.id
        self._installed.add(key)
        if consent.level == "account":
            self._installed.add((consent.client_id, consent.account_id))
        return self._issue(app=app, consent=consent)

    def _kill(self, consent_id: str) -> None:
        self._consents[consent_id] = replace(self._consents[consent_id], revoked=True)

    def _issue(self, *, app: App, consent: Consent) -> Issued:
        access = self._access_token(
            app=app,
            account_id=consent.account_id,
            user_id=consent.user_id,
            scopes=consent.scopes,
            level=consent.level,
            consent_id=consent.id,
        )
        expires_at = self._clock.now() + REFRESH_TOKEN_SECONDS
        claims = self._claims(app=app, account_id=consent.account_id, user_id=consent.user_id, expires_at=expires_at)
        refresh = self._recorder.secret(self._forge.forge(claims), kind="refresh token")
        self._refresh[refresh] = RefreshToken(consent_id=consent.id, expires_at=expires_at)
        return Issued(access=access, refresh_token=refresh, expires_in=app.access_token_seconds)

    def _access_token(
        self,
        *,
        app: App,
        account_id: str,
        user_id: str | None,
        scopes: tuple[str, ...],
        level: Level,
        consent_id: str | None,
    ) -> AccessToken:
        expires_at = self._clock.now() + app.access_token_seconds
        claims = self._claims(app=app, account_id=account_id, user_id=user_id, expires_at=expires_at)
        token = AccessToken(
            value=self._recorder.secret(self._forge.forge(claims), kind="access token"),
            client_id=app.client_id,
            account_id=account_id,
            user_id=user_id,
            scopes=frozenset(scopes),
            level=level,
            expires_at=expires_at,
            consent_id=consent_id,
        )
        self._access[token.value] = token
        return token

    def _claims(self, *, app: App, account_id: str, user_id: str | None, expires_at: float) -> dict[str, object]:
        return {
            "userId": user_id,
            "accountId": account_id,
            "clientId": app.client_id,
            "iat": int(self._clock.shown()),
            "exp": int(expires_at + self._clock.skew),
        }


def _verifier_fits(*, challenge: str | None, verifier: str | None) -> bool:
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)

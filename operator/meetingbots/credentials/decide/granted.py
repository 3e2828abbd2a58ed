"""What Zoom has granted and said about tokens: user, account, scopes, and the level at which a credential takes effect.

A tenant can edit the token Secret, so its annotations and its scope prove nothing. The process remembers Zoom's
answers. After a restart it trusts the Secret only where the status, which only the operator and the receiver write,
agrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.decide.token_state import Tokens, TokenState, mark_of
from meetingbots.models.credential import CredentialStatus, Level, ZoomCredential
from meetingbots.zoom import scopes
from meetingbots.zoom.scopes import Feature, ScopeLevel

_ADMIN_SUFFIXES: Final = (":admin", ":master")


def has_admin_scope(scopes: Iterable[str]) -> bool:
    """Return whether a scope allows access to other users of the account (Zoom: `…:admin`, `…:master`)."""
    return any(scope.endswith(_ADMIN_SUFFIXES) for scope in scopes)


def effective_level(credential: ZoomCredential) -> Level:
    """Return `spec.level`, but Account only if Zoom granted an admin scope.

    A tenant writes the spec. Without an admin scope, the consent is that of one user and covers only that user's
    meetings.
    """
    if credential.spec.level is Level.ACCOUNT and has_admin_scope(credential.status.granted_scopes):
        return Level.ACCOUNT
    return Level.USER


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Zoom's statements about one pair of tokens. `user_id` is empty before identification; `scope` None if unknown."""

    user_id: str = ""
    account_id: str = ""
    scope: str | None = None


def proof_key(tokens: Tokens) -> str:
    """Return a name of the pair of access and refresh token: if either is replaced, no proof applies."""
    refresh = tokens.refresh_token.get_secret_value() if tokens.refresh_token else ""
    return mark_of(SecretStr(f"{tokens.access_token.get_secret_value()}\n{refresh}"))


def initial_proof(state: TokenState, status: CredentialStatus) -> Proof | None:
    """Return what a process that has just started trusts: the parts of the Secret that agree with the status."""
    tokens = state.tokens
    if tokens is None or not state.user_id:
        return None
    if (state.user_id, state.account_id) != (status.user_id or "", status.account_id or ""):
        return None
    agreed = sorted(tokens.scope.split()) == sorted(status.granted_scopes)
    return Proof(user_id=state.user_id, account_id=state.account_id, scope=tokens.scope if agreed else None)


def refreshed_proof(previous: Proof | None, *, scope: str) -> Proof:
    """Return the proof of tokens that Zoom has just issued; the user is that of the tokens that were refreshed."""
    known = previous or Proof()
    return replace(known, scope=scope or known.scope)


def proven_scope(tokens: Tokens, proof: Proof | None) -> str:
    """Return the scopes that Zoom granted; while they are unknown, those of the Secret without admin scopes."""
    if proof is not None and proof.scope is not None:
        return proof.scope
    return " ".join(scope for scope in tokens.scope.split() if not has_admin_scope((scope,)))


_WORDS: Final[Mapping[Feature, str]] = MappingProxyType(
    {
        Feature.JOIN_TOKEN: "join tokens for recording",
        Feature.MEETING_LIST: "the list of meetings",
        Feature.MEETING: "the look-up of a meeting",
        Feature.USER: "the user and the personal meeting ID",
        Feature.ZAK: "joining as the user (ZAK)",
        Feature.ON_BEHALF: "joining on the user's behalf",
        Feature.USERS_LIST: "the list of the account's users",
    }
)
_BOT_FEATURES: Final = (
    Feature.JOIN_TOKEN,
    Feature.ON_BEHALF,
    Feature.ZAK,
    Feature.LIVE_STREAMING,
    Feature.LOCAL_ARCHIVING,
    Feature.WEBINAR_JOIN_TOKEN,
)


@dataclass(frozen=True)
class ScopeReport:
    """Granted and missing scopes, and one sentence about what does not work without them (empty: everything works)."""

    granted: tuple[str, ...]
    missing: tuple[str, ...]
    sentence: str


def scope_report(credential: ZoomCredential, scope: str) -> ScopeReport:
    """Compare granted scopes with what the credential's level needs; without any scope, nothing is known."""
    granted = tuple(sorted(scope.split()))
    if not granted:
        return ScopeReport(granted=(), missing=(), sentence="")
    missing = scopes.missing(granted, level=_level(credential))
    named = "; ".join(
        f"{_WORDS.get(feature, feature.value)} ({', '.join(needed)})" for feature, needed in missing.items()
    )
    return ScopeReport(
        granted=granted,
        missing=tuple(dict.fromkeys(scope for needed in missing.values() for scope in needed)),
        sentence=f"Scopes are missing for: {named}." if named else "",
    )


def lacks_all_tokens(credential: ZoomCredential, tokens: Tokens | None) -> bool:
    """Return whether the granted scopes, as far as they are known, allow no kind of token for a bot."""
    granted = (tokens.scope if tokens else "").split()
    if not granted:
        return False
    return len(scopes.missing(granted, level=_level(credential), features=_BOT_FEATURES)) == len(_BOT_FEATURES)


def _level(credential: ZoomCredential) -> ScopeLevel:
    return ScopeLevel(credential.spec.level.value)

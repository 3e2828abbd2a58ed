"""What Zoom itself has said about tokens: their user, account and scopes.

A tenant can edit the token Secret, so its annotations and its scope prove nothing. The process remembers Zoom's
answers. After a restart it trusts the Secret only where the status, which only the operator and the receiver write,
agrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import SecretStr

from meetingbots.credentials.decide.level import has_admin_scope
from meetingbots.credentials.decide.token_state import Tokens, TokenState, mark_of
from meetingbots.models.credential import CredentialStatus


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

"""Facts about a credential for tests: healthy unless a test changes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from meetingbots.credentials.decide.facts import AppFound, CredentialFacts, Failure, GrantFound
from meetingbots.credentials.decide.granted import initial_proof
from meetingbots.credentials.decide.token_state import Claim, Tokens, TokenSecret, TokenSlot, TokenState, Unsaved
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.models.metadata import OwnerReference
from meetingbots.zoom.resources import User
from pydantic import SecretStr

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SCOPES = "meeting:read:local_recording_token meeting:read:list_meetings user:read:user"


def credential(
    *, status: dict[str, Any] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> ZoomCredential:
    return ZoomCredential.from_object(
        {
            "metadata": {
                "name": "alice",
                "namespace": "team",
                "uid": "uid-1",
                "generation": 3,
                "annotations": annotations or {},
            },
            "spec": {
                "appSecretRef": {"name": "zoom-app"},
                "grant": {"refreshToken": {"secretKeyRef": {"name": "alice", "key": "refresh_token"}}},
                **spec,
            },
            "status": {"userId": "u-1", "accountId": "a-1"} if status is None else status,
        }
    )


def tokens(*, left: float = 3000, refresh: str | None = "refresh-1", access: str = "access-1", **other: Any) -> Tokens:
    """Tokens with `left` seconds of an hour to live."""
    expires = NOW + timedelta(seconds=left)
    known: dict[str, Any] = {
        "access_token": SecretStr(access),
        "refresh_token": SecretStr(refresh) if refresh else None,
        "expires_at": expires,
        "scope": SCOPES,
        "last_refresh": expires - timedelta(seconds=3600),
        "next_refresh": expires - timedelta(seconds=1300),
    }
    return Tokens(**{**known, **other})


def secret(state: TokenState, *, owners: tuple[OwnerReference, ...] = ()) -> TokenSecret:
    return TokenSecret(
        name="alice-zoom-token", namespace="team", uid="s-1", resource_version="7", state=state, owners=owners
    )


def healthy(**other: Any) -> TokenState:
    known: dict[str, Any] = {"tokens": tokens(), "fingerprint": "grant-1", "user_id": "u-1", "account_id": "a-1"}
    return TokenState(**{**known, **other})


def facts(state: TokenState | None = None, **other: Any) -> CredentialFacts:
    known: dict[str, Any] = {
        "credential": credential(),
        "app": AppFound(client_id="client"),
        "grant": GrantFound(fingerprint="grant-1"),
        "secret": secret(healthy() if state is None else state),
        "now": NOW,
        "instance": "me",
    }
    given = CredentialFacts(**{**known, **other})
    if given.proof is None:
        given = replace(given, proof=initial_proof(given.state, given.credential.status))
    return given


def claim(*, holder: str = "other", mark: str = "", open: bool = True, interrupted: bool = False) -> Claim:  # noqa: A002
    return Claim(id="c-1", holder=holder, time=NOW, mark=mark or tokens().mark, open=open, interrupted=interrupted)


def failure(
    reason: CredentialReason = CredentialReason.ZOOM_UNAVAILABLE, *, wait: float = 60, definite: bool | None = None
) -> Failure:
    return Failure(
        reason=reason,
        definite=reason is not CredentialReason.ZOOM_UNAVAILABLE if definite is None else definite,
        code="503",
        message="Zoom said so.",
        time=NOW,
        failures=2,
        retry_at=NOW + timedelta(seconds=wait),
    )


def user(user_id: str = "u-1", **other: Any) -> User:
    known: dict[str, Any] = {
        "id": user_id,
        "account_id": "a-1",
        "email": "a@b.test",
        "pmi": "5551234567",
        "status": "",
        "type": 2,
        "vanity_url": "",
    }
    return User(**{**known, **other})


def unsaved(state: TokenState) -> Unsaved:
    return Unsaved(
        tokens=tokens(refresh="refresh-2", access="access-2"),
        slot=TokenSlot.CURRENT,
        fingerprint="grant-1",
        spent=tokens().mark,
        before=replace(state, claim=claim(holder="me")),
        uid="s-1",
    )

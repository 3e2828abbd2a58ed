"""The token Secret as a Kubernetes object: reading its content, writing it back, and telling ours from someone else's.

Keys are those that people and Pods use: access_token, refresh_token, expires_at (RFC 3339), token_type, scope, api_url.
A candidate (tokens of a changed grant that are being checked) is in one more key for as long as the check lasts. All
else is in annotations, none of them secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.decide.token_state import Candidate, Claim, Rejection, Tokens, TokenState
from meetingbots.models import names
from meetingbots.models.base import format_time
from meetingbots.models.credential import CredentialReason, TokenDeletionPolicy, ZoomCredential
from meetingbots.zoom.timestamps import iso_moment

Object = dict[str, Any]

_CANDIDATE_KEY: Final = "candidate"
_LABEL_LIMIT: Final = 63
_TOKEN_KEYS: Final = ("access_token", "refresh_token", "expires_at", "token_type", "scope", "api_url")
_REJECTED_GRANT: Final = f"{names.GROUP}/rejected-grant"
_REJECTED_TOKEN: Final = f"{names.GROUP}/rejected-token"
_HANDLED_REFRESH: Final = f"{names.GROUP}/handled-refresh-request"


@dataclass(frozen=True, kw_only=True)
class TokenSecret:
    """A token Secret that is ours. `owners` are its ownerReferences."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    state: TokenState
    owners: tuple[Object, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SecretConflict:
    """The Secret of that name is not ours to write; `message` says why and what to do."""

    message: str
    uid: str = ""


def read_token_secret(obj: Mapping[str, Any], *, credential: ZoomCredential) -> TokenSecret | SecretConflict:
    """Read the object that has the token Secret's name.

    Ours is what has our labels with the credential's name; under what uid the credential was created does not matter,
    for a consent outlives its object.
    """
    metadata = obj["metadata"]
    name, uid, labels = metadata["name"], metadata.get("uid", ""), metadata.get("labels") or {}
    if labels.get(names.MANAGED_BY_LABEL) != names.MANAGED_BY or not labels.get(names.CREDENTIAL_LABEL):
        return SecretConflict(
            uid=uid,
            message=f"Secret {name} exists and is not the operator's, so it is left alone: rename or delete it, or set "
            "spec.tokenSecretName to another name.",
        )
    if labels[names.CREDENTIAL_LABEL] != credential_label(credential.name):
        return SecretConflict(
            uid=uid,
            message=f"Secret {name} keeps another ZoomCredential's tokens: set spec.tokenSecretName to another name.",
        )
    if obj.get("immutable"):
        return SecretConflict(
            uid=uid, message=f"Secret {name} was made immutable, so that no new token can be stored: delete it."
        )
    return TokenSecret(
        name=name,
        namespace=metadata["namespace"],
        uid=uid,
        resource_version=metadata.get("resourceVersion", ""),
        state=read_state(obj),
        owners=tuple(metadata.get("ownerReferences") or ()),
    )


def read_state(obj: Mapping[str, Any]) -> TokenState:
    """Read the content, whoever wrote it; what cannot be read counts as absent."""
    data = {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    notes: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    times = {
        "last_refresh": notes.get(names.LAST_REFRESH_TIME_ANNOTATION, ""),
        "next_refresh": notes.get(names.NEXT_REFRESH_TIME_ANNOTATION, ""),
    }
    candidate = _json(data.get(_CANDIDATE_KEY, ""))
    candidate_tokens = _tokens(candidate) if candidate else None
    return TokenState(
        tokens=_tokens({**data, **times}),
        fingerprint=notes.get(names.GRANT_FINGERPRINT_ANNOTATION, ""),
        candidate=Candidate(tokens=candidate_tokens, fingerprint=candidate.get("fingerprint", ""))
        if candidate_tokens
        else None,
        user_id=notes.get(names.USER_ID_ANNOTATION, ""),
        account_id=notes.get(names.ACCOUNT_ID_ANNOTATION, ""),
        claim=_claim(notes.get(names.REFRESH_CLAIM_ANNOTATION, "")),
        rejected_grant=_rejection(notes.get(_REJECTED_GRANT, "")),
        rejected_token=_rejection(notes.get(_REJECTED_TOKEN, "")),
        handled_refresh=notes.get(_HANDLED_REFRESH, ""),
    )


def content_patch(state: TokenState, *, credential: ZoomCredential, owners: tuple[Object, ...]) -> Object:
    """A merge patch that makes a Secret have this content, whatever it had; foreign keys and labels stay."""
    return {
        "metadata": {
            "labels": {
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.CREDENTIAL_LABEL: credential_label(credential.name),
            },
            "annotations": _annotations(state),
            "ownerReferences": list(wanted_owners(credential, owners=owners)) or None,
        },
        "data": {key: None if value is None else _encoded(value) for key, value in _data(state).items()},
    }


def new_secret(state: TokenState, *, credential: ZoomCredential) -> Object:
    """The whole object, to be created."""
    body = _without_nulls(content_patch(state, credential=credential, owners=()))
    body["metadata"] |= {"name": credential.token_secret_name, "namespace": credential.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **body}


def wanted_owners(credential: ZoomCredential, *, owners: tuple[Object, ...]) -> tuple[Object, ...]:
    """The ownerReferences: other people's as they are, and the credential itself under policy Delete only.

    Under Retain there is none, for a consent must survive its object; nor one of an earlier uid, which would have the
    Secret collected.
    """
    others = tuple(owner for owner in owners if owner.get("kind") != credential.KIND)
    if credential.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN:
        return others
    return (*others, credential.owner_reference().to_dict())


def credential_label(name: str) -> str:
    """A credential's name as a label's value: shortened where it is longer than a label may be."""
    return name if len(name) <= _LABEL_LIMIT else f"{name[:46].rstrip('-.')}-{_short_hash(name)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _data(state: TokenState) -> dict[str, str | None]:
    data: dict[str, str | None] = dict.fromkeys((*_TOKEN_KEYS, _CANDIDATE_KEY))
    if state.tokens is not None:
        data |= {key: value or None for key, value in _plain(state.tokens).items() if key in _TOKEN_KEYS}
    if state.candidate is not None:
        kept = {**_plain(state.candidate.tokens), "fingerprint": state.candidate.fingerprint}
        data[_CANDIDATE_KEY] = orjson.dumps(kept).decode()
    return data


def _annotations(state: TokenState) -> dict[str, str | None]:
    tokens, claim = state.tokens, state.claim
    notes = {
        names.GRANT_FINGERPRINT_ANNOTATION: state.fingerprint,
        names.USER_ID_ANNOTATION: state.user_id,
        names.ACCOUNT_ID_ANNOTATION: state.account_id,
        names.LAST_REFRESH_TIME_ANNOTATION: _time(tokens.last_refresh) if tokens else "",
        names.NEXT_REFRESH_TIME_ANNOTATION: _time(tokens.next_refresh) if tokens else "",
        names.REFRESH_CLAIM_ANNOTATION: _claim_text(claim) if claim else "",
        _REJECTED_GRANT: _rejection_text(state.rejected_grant),
        _REJECTED_TOKEN: _rejection_text(state.rejected_token),
        _HANDLED_REFRESH: state.handled_refresh,
    }
    return {key: value or None for key, value in notes.items()}


def _plain(tokens: Tokens) -> dict[str, str]:
    return {
        "access_token": tokens.access_token.get_secret_value(),
        "refresh_token": tokens.refresh_token.get_secret_value() if tokens.refresh_token else "",
        "expires_at": _time(tokens.expires_at),
        "token_type": tokens.token_type,
        "scope": tokens.scope,
        "api_url": tokens.api_url,
        "last_refresh": _time(tokens.last_refresh),
        "next_refresh": _time(tokens.next_refresh),
    }


def _tokens(plain: Mapping[str, Any]) -> Tokens | None:
    access, refresh = (str(plain.get(key) or "").strip() for key in ("access_token", "refresh_token"))
    if not access and not refresh:
        return None
    return Tokens(
        access_token=SecretStr(access),
        refresh_token=SecretStr(refresh) if refresh else None,
        expires_at=iso_moment(plain.get("expires_at")),
        token_type=str(plain.get("token_type") or "bearer"),
        scope=str(plain.get("scope") or ""),
        api_url=str(plain.get("api_url") or ""),
        last_refresh=iso_moment(plain.get("last_refresh")),
        next_refresh=iso_moment(plain.get("next_refresh")),
    )


def _claim_text(claim: Claim) -> str:
    return orjson.dumps(
        {
            "id": claim.id,
            "holder": claim.holder,
            "time": format_time(claim.time),
            "token": claim.mark,
            "open": claim.open,
            "interrupted": claim.interrupted,
        }
    ).decode()


def _claim(text: str) -> Claim | None:
    fields = _json(text)
    time = iso_moment(fields.get("time"))
    if time is None or not isinstance(fields.get("id"), str):
        return None
    return Claim(
        id=fields["id"],
        holder=str(fields.get("holder", "")),
        time=time,
        mark=str(fields.get("token", "")),
        open=fields.get("open") is not False,
        interrupted=fields.get("interrupted") is True,
    )


def _rejection_text(rejection: Rejection | None) -> str:
    if rejection is None:
        return ""
    return orjson.dumps(
        {
            "token": rejection.mark,
            "app": rejection.client_id,
            "reason": rejection.reason,
            "code": rejection.code,
            "message": rejection.message,
        }
    ).decode()


def _rejection(text: str) -> Rejection | None:
    fields = {key: value for key, value in _json(text).items() if isinstance(value, str)}
    if fields.get("reason") not in set(CredentialReason):
        return None
    return Rejection(
        mark=fields.get("token", ""),
        client_id=fields.get("app", ""),
        reason=fields["reason"],
        code=fields.get("code", ""),
        message=fields.get("message", ""),
    )


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _time(moment: datetime | None) -> str:
    return format_time(moment) if moment is not None else ""


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value

"""Encodes and decodes the token Secret, and distinguishes it from foreign Secrets.

The data keys are those that people and Pods use: access_token, refresh_token, expires_at (RFC 3339), token_type, scope,
api_url. One more key holds a candidate (tokens of a changed grant that are being checked) while there is one.
Everything else is in annotations, and none of that is secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.decide.token_state import (
    Candidate,
    Claim,
    Rejection,
    SecretConflict,
    Tokens,
    TokenSecret,
    TokenState,
    wanted_owners,
)
from meetingbots.kube.secrets import decode_text, encode_data
from meetingbots.models import names
from meetingbots.models.base import format_time
from meetingbots.models.credential import CredentialReason, ZoomCredential
from meetingbots.models.metadata import OwnerReference
from meetingbots.zoom.resources import iso_moment

Object = dict[str, Any]

_CANDIDATE_KEY: Final = "candidate"
_LABEL_LIMIT: Final = 63
_TOKEN_KEYS: Final = ("access_token", "refresh_token", "expires_at", "token_type", "scope", "api_url")
_REJECTED_GRANT: Final = f"{names.GROUP}/rejected-grant"
_REJECTED_TOKEN: Final = f"{names.GROUP}/rejected-token"
_HANDLED_REFRESH: Final = f"{names.GROUP}/handled-refresh-request"
_RECEIVED_FROM: Final = f"{names.GROUP}/received-from"


def read_token_secret(obj: Mapping[str, Any], *, credential: ZoomCredential) -> TokenSecret | SecretConflict:
    """Decode the object that has the token Secret's name.

    The operator's Secret has its labels with the credential's name. The credential's uid does not matter, because a
    consent outlives its object.
    """
    metadata = obj["metadata"]
    name, uid, labels = metadata["name"], metadata.get("uid", ""), metadata.get("labels") or {}
    if labels.get(names.MANAGED_BY_LABEL) != names.MANAGED_BY or not labels.get(names.CREDENTIAL_LABEL):
        return SecretConflict(
            uid=uid,
            message=f"Secret {name} exists and does not belong to the operator: rename or delete it, or set "
            "spec.tokenSecretName to another name.",
        )
    if labels[names.CREDENTIAL_LABEL] != credential_label(credential.name):
        return SecretConflict(
            uid=uid,
            message=f"Secret {name} holds another ZoomCredential's tokens: set spec.tokenSecretName to another name.",
        )
    if obj.get("immutable"):
        return SecretConflict(
            uid=uid, message=f"Secret {name} is immutable, so that no new token can be stored: delete it."
        )
    return TokenSecret(
        name=name,
        namespace=metadata["namespace"],
        uid=uid,
        resource_version=metadata.get("resourceVersion", ""),
        state=read_state(obj),
        owners=read_owners(obj),
    )


def read_state(obj: Mapping[str, Any]) -> TokenState:
    """Decode the content; malformed parts count as absent."""
    data = {key: decode_text(value) or "" for key, value in (obj.get("data") or {}).items()}
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
        received_from=notes.get(_RECEIVED_FROM, ""),
    )


def read_owners(obj: Mapping[str, Any]) -> tuple[OwnerReference, ...]:
    """Decode the ownerReferences."""
    return tuple(OwnerReference.model_validate(one) for one in obj["metadata"].get("ownerReferences") or ())


def content_patch(state: TokenState, *, credential: ZoomCredential, owners: tuple[OwnerReference, ...]) -> Object:
    """Return a merge patch that gives a Secret this content; foreign keys and labels stay."""
    data = _data(state)
    present = encode_data({key: value for key, value in data.items() if value is not None})
    return {
        "metadata": {
            "labels": {
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.CREDENTIAL_LABEL: credential_label(credential.name),
            },
            "annotations": _annotations(state),
            "ownerReferences": [one.to_dict() for one in wanted_owners(credential, owners=owners)] or None,
        },
        "data": {key: present.get(key) for key in data},
    }


def new_secret(state: TokenState, *, credential: ZoomCredential) -> Object:
    """Return the whole object for a create."""
    body = _without_nulls(content_patch(state, credential=credential, owners=()))
    body["metadata"] |= {"name": credential.token_secret_name, "namespace": credential.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **body}


def credential_label(name: str) -> str:
    """Return a credential's name as a label value; a name that is too long ends with a hash."""
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
        _RECEIVED_FROM: state.received_from,
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


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value

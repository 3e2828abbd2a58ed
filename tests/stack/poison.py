"""Objects that the API server stores and that break parsers: made as text, because building them would recurse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LEVELS = (1_100, 5_000)
_LIST = ("[", "]")
_MAP = ('{"a":', "}")


@dataclass(frozen=True, kw_only=True)
class Poison:
    """One object as JSON: `plural` is its collection, below `group`."""

    group: str
    plural: str
    name: str
    body: bytes


def nested(levels: int, *, lists: bool = False, bottom: str = "1") -> str:
    """JSON of so many nested objects, or lists."""
    opening, closing = _LIST if lists else _MAP
    return opening * levels + bottom + closing * levels


def poisonous_objects() -> Iterator[Poison]:
    """Objects of every kind that the operator or the receiver lists, watches or reads."""
    for levels in LEVELS:
        yield _bot(f"maps-{levels}", spec=f'"nodeSelector": {nested(levels)}')
        yield _bot(f"lists-{levels}", spec=f'"volumes": {nested(levels, lists=True)}')
        fields = _managed_fields(levels)
        yield _bot(f"fields-{levels}", metadata=fields)
        yield _credential(f"fields-{levels}", metadata=fields)
        yield _mapping(f"8{levels:09d}", metadata=fields)
        yield _pod(f"fields-{levels}", metadata=fields)
        yield _secret(f"fields-{levels}", metadata=fields)
    for name, value in {
        "digits": "9" * 5_000,
        "float": "1e308",
        "nul": r'"\u0000"',
        "surrogate": r'"\ud800"',
        "surrogate-key": r'{"\udfff": 1}',
    }.items():
        yield _bot(name, spec=f'"containers": [{{"name": "bot", "image": {value}, "odd": {value}}}]')
    yield _bot("wide", spec=f'"tolerations": [{", ".join(["{}"] * 20_000)}]')
    huge = '"annotations": {"huge": "%s"}' % ("x" * 250_000)
    yield _bot("huge", metadata=huge)
    yield _credential("huge", metadata=huge)
    yield _mapping("81111111111", metadata=huge)
    odd = r'"annotations": {"odd": "\u0000\ud800"}'
    yield _bot("odd", metadata=odd)
    yield _credential("odd", metadata=odd)


def _managed_fields(levels: int) -> str:
    opening, closing = '{"f:a":', "}"
    fields = opening * levels + "{}" + closing * levels
    return (
        '"managedFields": [{"manager": "me", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", '
        f'"time": "2026-11-24T12:00:00Z", "fieldsV1": {fields}}}]'
    )


def _bot(
    name: str, *, metadata: str = "", spec: str = '"containers": [{"name": "bot", "image": "test/sleep"}]'
) -> Poison:
    meeting = '"meeting": {"id": "81234567890"}, "tokens": []'
    return _custom("MeetingBot", name, metadata=metadata, spec=f'{meeting}, "template": {{"spec": {{{spec}}}}}')


def _credential(name: str, *, metadata: str) -> Poison:
    grant = '"grant": {"refreshToken": {"secretKeyRef": {"name": "alice", "key": "refresh_token"}}}'
    return _custom("ZoomCredential", name, metadata=metadata, spec=f'"appSecretRef": {{"name": "zoom-app"}}, {grant}')


def _mapping(name: str, *, metadata: str) -> Poison:
    live = '"labels": {"meetingbots.dev/live": "true"}'
    return _custom("MeetingMapping", name, metadata=f"{live}, {metadata}", spec=f'"meetingId": "{name}"')


def _custom(kind: str, name: str, *, metadata: str, spec: str) -> Poison:
    body = _object("meetingbots.dev/v1alpha1", kind, name, metadata=metadata, rest=f'"spec": {{{spec}}}')
    return Poison(group="/apis/meetingbots.dev/v1alpha1", plural=f"{kind.lower()}s", name=name, body=body)


def _pod(name: str, *, metadata: str) -> Poison:
    labels = '"labels": {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/bot": "notes"}'
    spec = '"spec": {"containers": [{"name": "bot", "image": "test/sleep"}]}'
    body = _object("v1", "Pod", name, metadata=f"{labels}, {metadata}", rest=spec)
    return Poison(group="/api/v1", plural="pods", name=name, body=body)


def _secret(name: str, *, metadata: str) -> Poison:
    body = _object("v1", "Secret", name, metadata=metadata, rest='"stringData": {"client_id": "x"}')
    return Poison(group="/api/v1", plural="secrets", name=name, body=body)


def _object(version: str, kind: str, name: str, *, metadata: str, rest: str) -> bytes:
    inner = f'"name": "{name}"' + (f", {metadata}" if metadata else "")
    return f'{{"apiVersion": "{version}", "kind": "{kind}", "metadata": {{{inner}}}, {rest}}}'.encode()

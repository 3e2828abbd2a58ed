"""Whatever the schemas of the CRDs allow is read or rejected with a ModelError, and breaks no cache and no queue."""

from __future__ import annotations

import contextlib
from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.kube.bounded_json import decode
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.models.base import ModelError
from meetingbots.models.crds import schema
from meetingbots.models.kinds import BOT, CREDENTIAL, KINDS, MAPPING, CustomResourceKind
from meetingbots.process.dispatcher import Dispatcher
from meetingbots.runtime.context import ObjectCaches, Queues
from meetingbots.runtime.work_queue import WorkQueue

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
"""What the API server stores as a string: it replaces lone surrogates."""


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def _values(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a structural schema, whatever its patterns and formats say."""
    match node:
        case {"x-kubernetes-preserve-unknown-fields": True}:
            return st.dictionaries(TEXT, JSON, max_size=3)
        case {"enum": list(choices)}:
            return st.sampled_from(choices)
        case {"type": "object", "properties": dict(properties)}:
            required = set(node.get("required", ()))
            parts = {name: _values(child) for name, child in properties.items()}
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in required},
                optional={name: part for name, part in parts.items() if name not in required},
            )
        case {"type": "object"}:
            return st.dictionaries(TEXT, _values(node.get("additionalProperties", {})), max_size=3)
        case {"type": "array"}:
            return st.lists(_values(node["items"]), max_size=3)
        case {"type": "integer"}:
            return st.integers(node.get("minimum", -(2**63)), node.get("maximum", 2**63 - 1))
        case {"type": "boolean"}:
            return st.booleans()
        case _:
            return TEXT


def _objects(kind: CustomResourceKind) -> st.SearchStrategy[dict[str, Any]]:
    parts = schema(kind.model)["properties"]
    metadata = st.fixed_dictionaries(
        {"name": st.just("odd"), "namespace": st.just("ns"), "uid": st.sampled_from(["u1", "u2"])},
        optional={
            "resourceVersion": st.integers(0, 2**63).map(str),
            "generation": st.integers(1, 2**62),
            "labels": st.dictionaries(TEXT, TEXT, max_size=3),
            "annotations": st.dictionaries(TEXT, TEXT, max_size=3),
        },
    )
    return st.fixed_dictionaries(
        {"metadata": metadata, "spec": _values(parts["spec"])},
        optional={"status": _values(parts["status"])},
    )


OBJECTS = {kind.model.KIND: _objects(kind) for kind in KINDS}


def dispatcher() -> Dispatcher:
    queues = Queues(**{one.name: WorkQueue(clock=lambda: 0.0) for one in fields(Queues)})
    recently_deleted = RecentlyDeletedMappings(clock=lambda: 0.0)
    return Dispatcher(caches=ObjectCaches(), queues=queues, recently_deleted=recently_deleted)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.KIND)
@given(data=st.data())
@settings(max_examples=60)
def test_a_model_reads_an_object_or_rejects_it(kind: CustomResourceKind, data: st.DataObject) -> None:
    item = data.draw(OBJECTS[kind.model.KIND])
    with contextlib.suppress(ModelError):
        kind.model.from_object(decode(orjson.dumps(item)))


@given(data=st.data(), deleted=st.booleans())
@settings(max_examples=60)
def test_the_dispatcher_queues_every_object(data: st.DataObject, deleted: bool) -> None:
    subject = dispatcher()
    for kind, feed in (
        (CREDENTIAL, subject.credential),
        (BOT, subject.bot),
        (MAPPING, subject.live_mapping),
    ):
        feed(data.draw(OBJECTS[kind.model.KIND]), deleted=False)
        feed(data.draw(OBJECTS[kind.model.KIND]), deleted=deleted)

"""What kopf is asked to do: watch four kinds, and nothing that needs a finalizer, a timer or a write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import kopf
import pytest
from kopf._cogs.structs.references import Resource as Kind
from kopf._core.intents.causes import Activity
from meetingbots.kube.connection import Connection
from meetingbots.process.dispatcher import Dispatcher, NoMemories, kopf_handlers, kopf_settings
from meetingbots.runtime.object_cache import Object

KINDS = {
    "credential": Kind("meetingbots.dev", "v1alpha1", "zoomcredentials", kind="ZoomCredential", namespaced=True),
    "bot": Kind("meetingbots.dev", "v1alpha1", "meetingbots", kind="MeetingBot", namespaced=True),
    "pod": Kind("", "v1", "pods", kind="Pod", namespaced=True),
    "live_mapping": Kind("meetingbots.dev", "v1alpha1", "meetingmappings", kind="MeetingMapping", namespaced=True),
}
OTHERS = [
    Kind("metrics.k8s.io", "v1beta1", "pods", kind="PodMetrics", namespaced=True),
    Kind("", "v1", "secrets", kind="Secret", namespaced=True),
    Kind("meetingbots.dev", "v1beta1", "meetingbots", kind="MeetingBot", namespaced=True),
]


class Remembered(Dispatcher):
    """Keeps what it is fed."""

    def __init__(self) -> None:
        self.fed: list[tuple[str, Object, bool]] = []
        self.listed: bool | None = None

    def credential(self, item: Object, *, deleted: bool) -> None:
        self.fed.append(("credential", item, deleted))

    def bot(self, item: Object, *, deleted: bool, listed: bool = False) -> None:
        self.fed.append(("bot", item, deleted))
        self.listed = listed

    def pod(self, item: Object, *, deleted: bool) -> None:
        self.fed.append(("pod", item, deleted))

    def live_mapping(self, item: Object, *, deleted: bool) -> None:
        self.fed.append(("live_mapping", item, deleted))


class Opened(Connection):
    """Opens no real session."""

    def __init__(self) -> None:
        object.__setattr__(self, "server", "https://api.example")

    def session(self, *, timeout: float = 30.0, watch_begins_within: float = 10.0) -> Any:
        return f"a session with {timeout:.0f} s"


def parts(registry: kopf.OperatorRegistry) -> Mapping[str, list[Any]]:
    """All handlers of a registry, by what they are for."""
    return {name.strip("_"): list(part._handlers) for name, part in vars(registry).items()}


def new_registry(dispatcher: Dispatcher | None = None) -> kopf.OperatorRegistry:
    return kopf_handlers(connection=Opened(), dispatcher=dispatcher or Remembered())


def test_there_are_four_event_handlers_and_a_login_and_nothing_else() -> None:
    found = parts(new_registry())
    assert {name: len(part) for name, part in found.items()} == {
        "activities": 1,
        "indexing": 0,
        "watching": 4,
        "spawning": 0,
        "changing": 0,
        "webhooks": 0,
    }
    assert found["activities"][0].activity is Activity.AUTHENTICATION
    assert not any(getattr(handler, "requires_finalizer", None) for part in found.values() for handler in part)


def test_each_handler_watches_its_kind_only() -> None:
    watched = {handler.fn.__name__: handler.selector for handler in parts(new_registry())["watching"]}
    everything = [*KINDS.values(), *OTHERS]
    assert {name: set(selector.select(everything)) for name, selector in watched.items()} == {
        name: {kind} for name, kind in KINDS.items()
    }


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("kind", "deleted"), [(None, False), ("ADDED", False), ("MODIFIED", False), ("DELETED", True)])
def test_a_handler_passes_the_object_on_and_has_no_result(name: str, kind: str | None, deleted: bool) -> None:
    """A result would be written into the object's status by kopf. The type None is that of the first list."""
    dispatcher = Remembered()
    (handler,) = (one for one in parts(new_registry(dispatcher))["watching"] if one.fn.__name__ == name)
    metadata = {"namespace": "ns", "name": "x"}
    item = {"metadata": metadata, "spec": {"a": 1}, "status": {"b": 2}}
    seen = dict(item)
    result = asyncio.run(handler.fn(event={"type": kind, "object": seen}, name="x", logger=None))
    assert result is None
    assert dispatcher.fed == [(name, item, deleted)]
    assert seen == {"metadata": metadata}
    assert dispatcher.listed is (kind is None if name == "bot" else None)


def test_the_login_hands_out_a_new_session_of_our_own_kind() -> None:
    (login,) = parts(new_registry())["activities"]
    given = asyncio.run(login.fn(logger=None))
    assert isinstance(given, kopf.AiohttpSession)
    assert given.server == "https://api.example"
    assert str(given.aiohttp_session) == "a session with 30 s"


def test_kopf_watches_only_our_pods_and_running_meetings() -> None:
    selectors = kopf_settings().watching.label_selectors
    selected = {name: list(selectors.collect(kind)) for name, kind in KINDS.items()}
    assert selected == {
        "credential": [],
        "bot": [],
        "pod": ["app.kubernetes.io/managed-by=meetingbots"],
        "live_mapping": ["meetingbots.dev/live=true"],
    }


def test_kopf_writes_nothing_by_itself() -> None:
    settings = kopf_settings()
    assert not settings.posting.enabled
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert settings.networking.request_timeout == 30.0
    assert settings.watching.server_timeout == 300


def test_kopf_keeps_nothing_of_an_object_and_lists_in_pages() -> None:
    memories = NoMemories()
    item = {"metadata": {"namespace": "ns", "name": "x", "uid": "u1"}}
    assert asyncio.run(memories.recall(cast("kopf.RawBody", item), noticed_by_listing=True)).noticed_by_listing
    assert list(memories.iter_all_memories()) == []
    assert kopf_settings().watching.chunk_size == 500


def test_a_watch_outlives_minutes_without_the_api_server_and_finds_it_again_soon() -> None:
    networking = kopf_settings().networking
    retries = networking.error_backoffs
    assert isinstance(retries, tuple)
    assert max(retries) <= 3
    assert sum(retries) >= 300
    assert networking.connect_timeout is not None
    assert networking.connect_timeout <= 5


def test_kopf_copies_and_keeps_nothing_of_objects() -> None:
    persistence = kopf_settings().persistence
    differences, progress = persistence.diffbase_storage, persistence.progress_storage
    body, patch = kopf.Body({"metadata": {"name": "x"}, "spec": {"a": 1}}), kopf.Patch()
    essence = differences.build(body=body)
    assert essence == {}
    assert differences.fetch(body=body) is None
    assert progress.clear(essence=essence) is essence
    differences.store(body=body, patch=patch, essence=essence)
    progress.touch(body=body, patch=patch, value="now")
    assert not patch

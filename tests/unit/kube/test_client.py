"""The requests that the client sends to a scripted API server, and its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    KubeError,
    NotFoundError,
    UnavailableError,
)
from meetingbots.kube.resources import BOTS, PODS, SECRETS

from tests.unit.kube.conftest import RecordedCalls
from tests.unit.kube.scripted_server import Answer, Reply, Reset, ScriptedServer, Stream, refusal

Call = Callable[[Kube], Awaitable[Any]]


async def get_one(kube: Kube) -> Any:
    return await kube.get(BOTS, namespace="ns", name="b")


async def test_get(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    server.says(Reply({"metadata": {"name": "b"}}))
    assert await get_one(kube) == {"metadata": {"name": "b"}}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.query, asked.body) == (
        "GET",
        "/apis/meetingbots.dev/v1alpha1/namespaces/ns/meetingbots/b",
        {},
        None,
    )
    assert recorded.calls == [("get", "meetingbots", 200)]


async def test_discovery_gives_the_plurals_of_a_group(kube: Kube, server: ScriptedServer) -> None:
    server.says(Reply({"resources": [{"name": "meetingbots"}, {"name": "meetingbots/status"}]}), Reply({}))
    assert await kube.discover(BOTS) == {"meetingbots", "meetingbots/status"}
    assert await kube.discover(BOTS) == frozenset()
    assert [asked.path for asked in server.asked] == ["/apis/meetingbots.dev/v1alpha1"] * 2


async def test_create(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    body = {"metadata": {"name": "p"}, "note": "ä"}
    server.says(Reply({"metadata": {"uid": "u"}}, status=201))
    assert await kube.create(PODS, namespace="ns", body=body) == {"metadata": {"uid": "u"}}
    await kube.create(PODS, namespace="ns", body=body, dry_run=True)
    first, second = server.asked
    assert (first.method, first.path, first.query, first.body) == ("POST", "/api/v1/namespaces/ns/pods", {}, body)
    assert first.headers["Content-Type"] == "application/json"
    assert second.query == {"dryRun": "All"}
    assert recorded.calls[0] == ("create", "pods", 201)


async def test_create_tells_an_existing_object_from_a_conflict(kube: Kube, server: ScriptedServer) -> None:
    server.says(refusal(409, "AlreadyExists", "pods p exists"))
    with pytest.raises(AlreadyExistsError, match="pods p exists"):
        await kube.create(PODS, namespace="ns", body={})
    server.says(refusal(409, "Conflict", "the object has been modified"))
    with pytest.raises(ConflictError):
        await kube.create(PODS, namespace="ns", body={})


async def test_patch_is_a_merge_patch_that_may_name_the_version_it_is_meant_for(
    kube: Kube, server: ScriptedServer
) -> None:
    patch = {"metadata": {"annotations": {"a": None}}, "spec": {"x": 1}}
    await kube.patch(SECRETS, namespace="ns", name="s", patch=patch, resource_version="7")
    await kube.patch(SECRETS, namespace="ns", name="s", patch={"data": {}}, resource_version="8")
    await kube.patch(BOTS, namespace="ns", name="b", patch={"status": {}}, subresource="status")
    first, second, third = server.asked
    assert (first.method, first.path) == ("PATCH", "/api/v1/namespaces/ns/secrets/s")
    assert first.headers["Content-Type"] == "application/merge-patch+json"
    assert first.body == {"metadata": {"annotations": {"a": None}, "resourceVersion": "7"}, "spec": {"x": 1}}
    assert second.body == {"metadata": {"resourceVersion": "8"}, "data": {}}
    assert third.path.endswith("/meetingbots/b/status")
    assert third.body == {"status": {}}
    assert patch["metadata"] == {"annotations": {"a": None}}, "the caller's patch stays as it was"


async def test_apply_names_kind_manager_and_force(kube: Kube, server: ScriptedServer) -> None:
    body = {"metadata": {"uid": "u"}, "status": {"phase": "Running"}}
    await kube.apply(BOTS, namespace="ns", name="b", body=body, manager="operator", subresource="status")
    await kube.apply(BOTS, namespace="ns", name="b", body={}, manager="receiver", force=False)
    first, second = server.asked
    assert (first.method, first.path) == ("PATCH", "/apis/meetingbots.dev/v1alpha1/namespaces/ns/meetingbots/b/status")
    assert first.query == {"fieldManager": "operator", "force": "true"}
    assert first.headers["Content-Type"] == "application/apply-patch+yaml"
    assert first.body == {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingBot",
        "metadata": {"uid": "u", "name": "b"},
        "status": {"phase": "Running"},
    }
    assert second.query == {"fieldManager": "receiver", "force": "false"}


async def test_delete_can_mean_one_very_object(kube: Kube, server: ScriptedServer) -> None:
    await kube.delete(PODS, namespace="ns", name="p")
    await kube.delete(PODS, namespace="ns", name="p", uid="u", grace_seconds=0)
    first, second = server.asked
    assert (first.method, first.path) == ("DELETE", "/api/v1/namespaces/ns/pods/p")
    assert first.body == {"propagationPolicy": "Background"}
    assert second.body == {
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0,
    }


async def test_deleting_what_is_gone_is_silent_but_another_object_is_a_conflict(
    kube: Kube, server: ScriptedServer, recorded: RecordedCalls
) -> None:
    server.says(refusal(404, "NotFound"), refusal(409, "Conflict", "uid differs"))
    await kube.delete(PODS, namespace="ns", name="p")
    with pytest.raises(ConflictError):
        await kube.delete(PODS, namespace="ns", name="p", uid="u")
    assert recorded.calls == [("delete", "pods", 404), ("delete", "pods", 409)]


async def test_a_list_goes_through_all_pages(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    server.says(
        Reply({"metadata": {"resourceVersion": "5", "continue": "t=1&x"}, "items": [{"n": 1}, {"n": 2}]}),
        Reply({"metadata": {"resourceVersion": "5", "continue": ""}, "items": [{"n": 3}]}),
    )
    items = [
        item
        async for item in kube.list(
            PODS, namespace="ns", label_selector="a=b,c", field_selector="metadata.name=x", page_size=2
        )
    ]
    assert items == [{"n": 1}, {"n": 2}, {"n": 3}]
    first, second = server.asked
    assert first.path == "/api/v1/namespaces/ns/pods"
    assert first.query == {"limit": "2", "labelSelector": "a=b,c", "fieldSelector": "metadata.name=x"}
    assert second.query == {**first.query, "continue": "t=1&x"}
    assert recorded.calls == [("list", "pods", 200)] * 2


async def test_a_list_of_all_namespaces_without_anything(kube: Kube, server: ScriptedServer) -> None:
    server.says(Reply({"metadata": {"resourceVersion": "5"}, "items": None}))
    assert [item async for item in kube.list(PODS)] == []
    assert server.asked[0].path == "/api/v1/pods"
    assert server.asked[0].query == {"limit": "500"}


@pytest.mark.parametrize(
    "answer", [{}, {"metadata": {}}, {"metadata": None, "items": []}, {"metadata": {}, "items": {}}]
)
async def test_a_list_that_is_none_is_no_answer(kube: Kube, server: ScriptedServer, answer: object) -> None:
    server.says(Reply(answer))
    with pytest.raises(UnavailableError):
        _ = [item async for item in kube.list(PODS)]


CALLS: dict[str, Call] = {
    "get": get_one,
    "create": lambda kube: kube.create(PODS, namespace="ns", body={}),
    "patch": lambda kube: kube.patch(PODS, namespace="ns", name="p", patch={}),
    "delete": lambda kube: kube.delete(PODS, namespace="ns", name="p"),
}
BROKEN: dict[str, Answer] = {
    "reset": Reset(),
    "empty": Reply(b""),
    "page": Reply(b"<html>welcome</html>", headers={"Content-Type": "text/html"}),
    "half": Reply(b'{"metadata": {'),
    "no text": Reply(b'{"a": "\xff"}'),
    "list": Reply([]),
    "cut off": Stream(pieces=(b'{"metadata": {}}',), end="abort"),
    "refusal without words": Reply(b"{}", status=502),
    "page of a proxy": Reply(b"<html>bad gateway</html>", status=502),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("verb", CALLS)
async def test_no_definite_answer_is_unavailable(
    kube: Kube, server: ScriptedServer, recorded: RecordedCalls, verb: str, broken: str
) -> None:
    server.says(BROKEN[broken])
    with pytest.raises(UnavailableError):
        await CALLS[verb](kube)
    assert [call[0] for call in recorded.calls] == [verb]


async def test_an_absent_server_is_unavailable_and_recorded_without_status(
    kube: Kube, server: ScriptedServer, recorded: RecordedCalls
) -> None:
    server.says(Reset())
    with pytest.raises(UnavailableError, match="API server unreachable: ServerDisconnectedError"):
        await get_one(kube)
    assert recorded.calls == [("get", "meetingbots", 0)]


async def test_redirects_are_not_followed(kube: Kube, server: ScriptedServer, recorded: RecordedCalls) -> None:
    server.says(Reply({}, status=307, headers={"Location": "/elsewhere"}), Reply({"stolen": True}))
    with pytest.raises(KubeError, match="HTTP 307"):
        await get_one(kube)
    assert len(server.asked) == 1
    assert recorded.calls == [("get", "meetingbots", 307)]


async def test_a_name_out_of_a_spec_never_leaves_its_namespace(kube: Kube, server: ScriptedServer) -> None:
    with pytest.raises(NotFoundError):
        await kube.get(SECRETS, namespace="ns", name="../../other/secrets/token")
    await kube.delete(SECRETS, namespace="ns", name="..")
    await kube.get(SECRETS, namespace="ns", name="a?b#c")
    assert [asked.path for asked in server.asked] == ["/api/v1/namespaces/ns/secrets/a?b#c"]

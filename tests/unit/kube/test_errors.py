"""Errors of the API server, and the retry after a conflict."""

from __future__ import annotations

import pytest
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    UnavailableError,
    from_status,
    retry_on_conflict,
)
from meetingbots.kube.resources import PODS

from tests.unit.kube.scripted_server import Reply, ScriptedServer, refusal

TABLE: list[tuple[int, str, type[KubeError]]] = [
    (400, "BadRequest", InvalidError),
    (401, "Unauthorized", KubeError),
    (403, "Forbidden", ForbiddenError),
    (404, "NotFound", NotFoundError),
    (405, "MethodNotAllowed", KubeError),
    (409, "AlreadyExists", AlreadyExistsError),
    (409, "Conflict", ConflictError),
    (409, "", ConflictError),
    (410, "Expired", ExpiredError),
    (413, "RequestEntityTooLarge", InvalidError),
    (422, "Invalid", InvalidError),
    (429, "TooManyRequests", UnavailableError),
    (500, "InternalError", UnavailableError),
    (502, "", UnavailableError),
    (503, "ServiceUnavailable", UnavailableError),
    (504, "Timeout", UnavailableError),
]


@pytest.mark.parametrize(("status", "reason", "kind"), TABLE)
async def test_each_status_has_its_class(
    kube: Kube, server: ScriptedServer, status: int, reason: str, kind: type[KubeError]
) -> None:
    server.says(refusal(status, reason, "in words"))
    with pytest.raises(KubeError, match=r"^in words$") as caught:
        await kube.get(PODS, namespace="ns", name="p")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert caught.value.retry_after is None


@pytest.mark.parametrize("body", [b"", b"<html>forbidden</html>", b"[]", b'"text"', b"{"])
async def test_a_refusal_without_a_status_object_still_has_its_class(
    kube: Kube, server: ScriptedServer, body: bytes
) -> None:
    server.says(Reply(body, status=403))
    with pytest.raises(ForbiddenError, match="HTTP 403") as caught:
        await kube.get(PODS, namespace="ns", name="p")
    assert caught.value.reason == ""


async def test_retry_after_is_read(kube: Kube, server: ScriptedServer) -> None:
    server.says(Reply({"message": "busy"}, status=429, headers={"Retry-After": "17"}))
    with pytest.raises(UnavailableError) as caught:
        await kube.get(PODS, namespace="ns", name="p")
    assert caught.value.retry_after == 17.0


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "²"])
def test_a_retry_after_of_another_form_is_none(header: str) -> None:
    assert from_status(status=429, body={}, retry_after=header).retry_after is None


def test_a_quota_differs_from_other_prohibitions() -> None:
    quota = from_status(status=403, body={"message": 'pods "x" is forbidden: exceeded quota: small, requested: pods=1'})
    rights = from_status(status=403, body={"message": 'pods is forbidden: User "x" cannot create resource "pods"'})
    assert isinstance(quota, ForbiddenError)
    assert isinstance(rights, ForbiddenError)
    assert (quota.quota_exceeded, rights.quota_exceeded) == (True, False)


class Attempt:
    """Raises the given errors one after the other, then succeeds."""

    def __init__(self, *errors: KubeError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


async def test_the_first_success_counts() -> None:
    assert await retry_on_conflict(Attempt(), what="Secret app") == 1


@pytest.mark.parametrize("error", [ConflictError("changed", status=409), AlreadyExistsError("exists", status=409)])
async def test_a_conflict_is_tried_again(error: KubeError) -> None:
    assert await retry_on_conflict(Attempt(error, error), what="Secret app") == 3


async def test_another_error_ends_at_once() -> None:
    attempt = Attempt(UnavailableError("gone"))
    with pytest.raises(UnavailableError):
        await retry_on_conflict(attempt, what="Secret app")
    assert attempt.calls == 1


async def test_endless_conflicts_raise_a_conflict_that_names_the_object() -> None:
    attempt = Attempt(*[AlreadyExistsError("exists", status=409)] * 9)
    with pytest.raises(ConflictError, match="Secret app changed during each of 4 tries") as caught:
        await retry_on_conflict(attempt, what="Secret app", tries=4)
    assert attempt.calls == 4
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")


async def test_a_pause_follows_each_conflict_but_the_last() -> None:
    pauses: list[int] = []

    async def pause(conflicts: int) -> None:
        pauses.append(conflicts)

    with pytest.raises(ConflictError):
        await retry_on_conflict(Attempt(*[ConflictError("changed")] * 9), what="Secret app", tries=3, pause=pause)
    assert pauses == [1, 2]

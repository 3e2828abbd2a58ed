"""A missing namespace of the operator's own is told once, with what to do; any other trouble is not taken for that."""

from __future__ import annotations

import pytest
from meetingbots.kube.errors import AlreadyExistsError, ForbiddenError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.resources import SECRETS
from meetingbots.process.preflight import tell_if_missing

from tests.unit.fake_kube import Call, FakeKube


def answering(error: KubeError) -> FakeKube:
    async def refuse(call: Call) -> None:
        if call.moment == "before":
            raise error

    return FakeKube(hook=refuse)


async def test_a_missing_namespace_is_told_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    kube = answering(NotFoundError('namespaces "bots-system" not found', status=404))
    assert await tell_if_missing(kube, namespace="bots-system")
    [line] = caplog.messages
    assert "kubectl create namespace bots-system" in line
    assert "--system-namespace" in line


@pytest.mark.parametrize(
    "error",
    [
        AlreadyExistsError("there", status=409),
        ForbiddenError("no", status=403),
        UnavailableError("connection refused"),
    ],
)
async def test_other_answers_tell_nothing(caplog: pytest.LogCaptureFixture, error: KubeError) -> None:
    assert not await tell_if_missing(answering(error), namespace="bots-system")
    assert caplog.messages == []


async def test_nothing_is_made() -> None:
    kube = FakeKube()
    assert not await tell_if_missing(kube, namespace="bots-system")
    assert kube.peek(SECRETS, namespace="bots-system", name="meetingbots-receiver") is None

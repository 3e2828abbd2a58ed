"""A missing system namespace is logged with its remedy; other errors are not."""

from __future__ import annotations

import pytest
from meetingbots.kube.errors import AlreadyExistsError, ForbiddenError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.resources import SECRETS
from meetingbots.process.preflight import warn_if_namespace_is_missing

from tests.unit.fake_kube import Call, FakeKube


def answering(error: KubeError) -> FakeKube:
    async def refuse(call: Call) -> None:
        if call.moment == "before":
            raise error

    return FakeKube(hook=refuse)


async def test_a_missing_namespace_is_logged_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    kube = answering(NotFoundError('namespaces "bots-system" not found', status=404))
    assert await warn_if_namespace_is_missing(kube, namespace="bots-system")
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
async def test_other_errors_log_nothing(caplog: pytest.LogCaptureFixture, error: KubeError) -> None:
    assert not await warn_if_namespace_is_missing(answering(error), namespace="bots-system")
    assert caplog.messages == []


async def test_the_dry_run_creates_nothing() -> None:
    kube = FakeKube()
    assert not await warn_if_namespace_is_missing(kube, namespace="bots-system")
    assert kube.peek(SECRETS, namespace="bots-system", name="meetingbots-receiver") is None

"""Kubernetes says no, or that something is there already."""

import pytest
from meetingbots.kube.errors import ForbiddenError, InvalidError, UnavailableError
from meetingbots.kube.resources import BOTS, PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call


async def test_a_quota_is_reported_and_the_bot_goes_on_when_there_is_room() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    full = True

    async def quota(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise ForbiddenError("pods is forbidden: exceeded quota: pods", status=403, reason="Forbidden")

    harness.cluster.inner = quota
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.condition()[1] == "QuotaExceeded")
    assert harness.condition()[0] == "False"
    harness.clock.forward(60)
    await operator.look()
    assert harness.condition()[1] == "QuotaExceeded"
    full = False
    harness.clock.forward(5)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    assert harness.bot().status.attempts == 1


async def test_a_scheduled_bot_reports_a_quota_until_there_is_room() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(5000).isoformat())
    full = True

    async def quota(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise ForbiddenError("pods is forbidden: exceeded quota: pods", status=403, reason="Forbidden")

    harness.cluster.inner = quota
    operator = harness.operator()
    for _ in range(4):
        after = await operator.look()
        assert harness.condition()[:2] == ("False", "QuotaExceeded")
        assert after == 30
        harness.clock.forward(after)
    full = False
    await operator.look()
    assert harness.condition()[:2] == ("True", "Scheduled")


async def refused_until(harness: BotHarness, error: Exception, *, joins: float | None) -> dict[str, bool]:
    """A bot whose Pod Kubernetes refuses while `no` of the answer is true."""
    refusal = {"no": True}
    harness.put_bot(joinAt=at(joins or 0).isoformat())
    harness.put_mapping()

    async def refuse(call: Call) -> None:
        if refusal["no"] and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise error

    harness.cluster.inner = refuse
    return refusal


INVALID = InvalidError("Pod is invalid: spec.containers[0].image: Required value", status=422, reason="Invalid")
POLICY = ForbiddenError('pods "x" is forbidden: violates PodSecurity "restricted"', status=403, reason="Forbidden")


DENIED = ForbiddenError('admission webhook "x" denied the request: no', status=403, reason="Forbidden")


BY_POLICY = ForbiddenError("ValidatingAdmissionPolicy 'x' denied request: no", status=403, reason="Forbidden")


async def test_a_refused_template_is_reported_and_checked_again() -> None:
    for joins in (None, 5000):
        for error in (INVALID, POLICY, DENIED, BY_POLICY):
            harness = BotHarness()
            refusal = await refused_until(harness, error, joins=joins)
            operator = harness.operator()
            for _ in range(4):
                after = await operator.look()
                assert harness.condition() == ("False", "TemplateInvalid", str(error))
                assert harness.condition("Stalled")[0] == "True"
                assert harness.bot().status.phase is BotPhase.PENDING
                assert harness.pods() == []
                assert after == 30
                harness.clock.forward(after)
            writes = harness.cluster.count("patch", BOTS)
            assert writes <= 3
            refusal["no"] = False
            await operator.look()
            assert harness.condition()[0] == "True"
            await harness.live(operator)
            assert harness.condition()[1] == "Succeeded"


async def test_a_scheduled_bot_reports_a_silent_admission_webhook() -> None:
    harness = BotHarness()
    error = UnavailableError('failed calling webhook "x": connection refused', status=500)
    refusal = await refused_until(harness, error, joins=5000)
    operator = harness.operator()
    await operator.look()
    assert harness.condition()[:2] == ("False", "ConfigError")
    refusal["no"] = False
    harness.clock.forward(60)
    await operator.look()
    assert harness.condition()[:2] == ("True", "Scheduled")


SECRET_QUOTA = ForbiddenError("secrets is forbidden: exceeded quota: few", status=403, reason="Forbidden")
SECRET_POLICY = ForbiddenError('admission webhook "x" denied the request: hush', status=403, reason="Forbidden")


@pytest.mark.parametrize(("error", "reason"), [(SECRET_QUOTA, "QuotaExceeded"), (SECRET_POLICY, "ConfigError")])
async def test_a_refused_secret_is_reported_costs_few_tokens_and_heals(error: Exception, reason: str) -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    full = True

    async def refuse(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "secrets"):
            raise error

    harness.cluster.inner = refuse
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.clock.seconds() >= 60)
    assert harness.condition()[:2] == ("False", reason)
    assert "hush" not in harness.condition()[2]
    assert len(harness.zoom.tokens.given) <= 6
    full = False
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    assert (harness.bot().status.attempts, len(harness.kubelet.starts)) == (1, 1)


async def test_a_foreign_secret_of_the_pods_name_is_reported() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    harness.put_secret(f"{POD}-zoom", mine="x")
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.clock.seconds() >= 30)
    assert harness.condition()[:2] == ("False", "ConfigError")
    assert f"{POD}-zoom" in harness.condition()[2]


async def test_an_immediate_bot_with_a_refused_template_fails_at_its_deadline() -> None:
    harness = BotHarness()
    await refused_until(harness, INVALID, joins=None)
    await harness.live(harness.operator())
    assert harness.condition()[1] == "StartDeadlineExceeded"
    assert "Required value" in harness.condition()[2]
    assert harness.clock.seconds() == 600


async def test_a_webhook_without_dry_run_does_not_make_a_template_invalid() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(5000).isoformat())

    async def refuse(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise InvalidError('admission webhook "x" does not support dry run', status=400, reason="BadRequest")

    harness.cluster.inner = refuse
    await harness.operator().look()
    assert harness.condition()[:2] == ("True", "Scheduled")


async def test_an_invalid_template_is_reported_and_creates_no_pod() -> None:
    harness = BotHarness()
    harness.put_bot(template={"spec": {"containers": [{"name": "other", "image": "x"}]}})
    harness.put_mapping()
    operator = harness.operator()
    await operator.look()
    assert harness.condition()[:2] == ("False", "TemplateInvalid")
    assert "must have a container named bot" in harness.condition()[2]
    assert harness.cluster.count("create", PODS) == 0
    harness.put_bot(generation=2)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"


async def test_a_missing_passcode_secret_is_reported_until_it_exists() -> None:
    harness = BotHarness()
    key = {"name": "passcodes", "key": "standup"}
    harness.put_bot(meeting={"id": MEETING, "passcodeSecretKeyRef": key})
    harness.put_mapping()
    operator = harness.operator()
    after = await operator.look()
    assert harness.condition() == ("False", "ConfigError", "Secret passcodes does not exist.")
    harness.put_secret("passcodes", standup="hush-passcode\n")
    assert after is not None
    harness.clock.forward(after)
    await harness.live(operator)
    assert harness.heard("ZOOM_MEETING_PASSCODE") == ["hush-passcode"]


async def test_a_foreign_pod_of_the_same_name_is_reported() -> None:
    harness = BotHarness()
    harness.put_bot()
    foreign = {"metadata": {"name": POD, "namespace": "team", "ownerReferences": [{"uid": "another"}]}, "spec": {}}
    harness.cluster.put(PODS, foreign)
    harness.cluster._objects["meetingbots", "team", "another"] = {
        "metadata": {"name": "another", "namespace": "team", "uid": "another", "resourceVersion": "1"},
    }
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.condition()[1] == "ConfigError")
    assert "does not belong to this MeetingBot" in harness.condition()[2]
    assert harness.zoom.tokens.asked == []
    harness.cluster.remove(PODS, namespace="team", name=POD)
    harness.clock.forward(5)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"


async def test_a_pod_that_is_being_deleted_is_lost_once_it_is_gone() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    lost = True

    async def lose(call: Call) -> None:
        nonlocal lost
        if lost and (call.moment, call.verb, call.plural) == ("after", "create", "pods"):
            lost = False
            item = harness.cluster.peek(PODS, namespace="team", name=POD)
            assert item is not None
            item["metadata"]["deletionTimestamp"] = at(60).isoformat()
            harness.cluster.put(PODS, item)
            raise UnavailableError("API server unreachable")

    harness.cluster.inner = lose
    operator = harness.operator()
    for _ in range(2):
        try:
            await operator.look()
        except UnavailableError:
            continue
    assert harness.pods() == [POD]
    assert harness.bot().status.infrastructure_restarts == 0
    harness.cluster.remove(PODS, namespace="team", name=POD)
    await harness.live(operator)
    status = harness.bot().status
    assert (status.phase, status.infrastructure_restarts, status.attempts) == (BotPhase.SUCCEEDED, 1, 1)


async def test_an_invalid_bot_is_reported_once() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt="9999-12-31T23:59:59-12:00")
    operator = harness.operator()
    for _ in range(3):
        await operator.look()
    item = harness.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    conditions = {condition["type"]: condition for condition in item["status"]["conditions"]}
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "ConfigError")
    assert "joinAt" in conditions["Ready"]["message"]
    assert conditions["Stalled"]["status"] == "True"
    assert harness.cluster.count("patch", BOTS) == 1
    harness.put_bot(generation=2)
    harness.put_mapping()
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    assert harness.condition("Stalled")[0] == ""


async def test_a_silent_admission_webhook_is_reported_and_waited_for() -> None:
    harness = BotHarness()
    error = UnavailableError('Internal error occurred: failed calling webhook "x": refused', status=500)
    refusal = await refused_until(harness, error, joins=None)
    operator = harness.operator()
    assert await operator.look() == 5
    assert harness.condition() == ("False", "ConfigError", str(error))
    assert harness.condition("Reconciling")[0] == "True"
    refusal["no"] = False
    harness.clock.forward(5)
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"
    harness.check()


NO_DRY_RUN = InvalidError('admission webhook "x" does not support dry run', status=400, reason="BadRequest")


@pytest.mark.parametrize("error", [INVALID, NO_DRY_RUN])
async def test_a_refused_template_is_reported_throughout_edits_and_restarts(error: Exception) -> None:
    harness = BotHarness()
    seen: list[tuple[str, str]] = []

    async def refuse(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise error
        if (call.moment, call.verb, call.plural) == ("after", "patch", "meetingbots"):
            seen.append(harness.condition()[:2])

    harness.cluster.inner = refuse
    for generation in (1, 2, 3):
        operator = harness.operator()
        harness.put_bot(generation=generation, displayName=f"edit {generation}")
        for _ in range(3):
            harness.clock.forward(await operator.look() or 0)
    assert seen.pop(0) == ("True", "Staging")
    assert set(seen) == {("False", "TemplateInvalid")}

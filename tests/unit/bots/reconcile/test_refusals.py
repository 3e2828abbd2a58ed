"""Kubernetes says no, or that something is there already."""

import pytest
from meetingbots.kube.errors import ForbiddenError, InvalidError, UnavailableError
from meetingbots.kube.resources import BOTS, PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import Bench
from tests.unit.fake_kube import Call


async def test_a_quota_is_told_and_when_it_frees_up_the_bot_goes_on() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    full = True

    async def quota(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise ForbiddenError("pods is forbidden: exceeded quota: pods", status=403, reason="Forbidden")

    bench.cluster.inner = quota
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.condition()[1] == "QuotaExceeded")
    assert bench.condition()[0] == "False"
    bench.clock.forward(60)
    await operator.look()
    assert bench.condition()[1] == "QuotaExceeded"
    full = False
    bench.clock.forward(5)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    assert bench.bot().status.attempts == 1


async def test_a_scheduled_bots_quota_is_told_until_there_is_room() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(5000).isoformat())
    full = True

    async def quota(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise ForbiddenError("pods is forbidden: exceeded quota: pods", status=403, reason="Forbidden")

    bench.cluster.inner = quota
    operator = bench.operator()
    for _ in range(4):
        after = await operator.look()
        assert bench.condition()[:2] == ("False", "QuotaExceeded")
        assert after == 30
        bench.clock.forward(after)
    full = False
    await operator.look()
    assert bench.condition()[:2] == ("True", "Scheduled")


async def refused_until(bench: Bench, error: Exception, *, joins: float | None) -> dict[str, bool]:
    """A bot whose Pod Kubernetes refuses for as long as the answer's `no` holds."""
    told = {"no": True}
    bench.put_bot(joinAt=at(joins or 0).isoformat())
    bench.put_mapping()

    async def refuse(call: Call) -> None:
        if told["no"] and (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise error

    bench.cluster.inner = refuse
    return told


INVALID = InvalidError("Pod is invalid: spec.containers[0].image: Required value", status=422, reason="Invalid")
POLICY = ForbiddenError('pods "x" is forbidden: violates PodSecurity "restricted"', status=403, reason="Forbidden")


DENIED = ForbiddenError('admission webhook "x" denied the request: no', status=403, reason="Forbidden")


BY_POLICY = ForbiddenError("ValidatingAdmissionPolicy 'x' denied request: no", status=403, reason="Forbidden")


async def test_a_template_that_kubernetes_refuses_is_told_and_asked_about_again_without_churn() -> None:
    for joins in (None, 5000):
        for error in (INVALID, POLICY, DENIED, BY_POLICY):
            bench = Bench()
            told = await refused_until(bench, error, joins=joins)
            operator = bench.operator()
            for _ in range(4):
                after = await operator.look()
                assert bench.condition() == ("False", "TemplateInvalid", str(error))
                assert bench.condition("Stalled")[0] == "True"
                assert bench.bot().status.phase is BotPhase.PENDING
                assert bench.pods() == []
                assert after == 30
                bench.clock.forward(after)
            writes = bench.cluster.count("patch", BOTS)
            assert writes <= 3
            told["no"] = False
            await operator.look()
            assert bench.condition()[0] == "True"
            await bench.live(operator)
            assert bench.condition()[1] == "Succeeded"


async def test_an_admission_webhook_without_an_answer_is_told_of_a_scheduled_bot_at_once() -> None:
    bench = Bench()
    error = UnavailableError('failed calling webhook "x": connection refused', status=500)
    told = await refused_until(bench, error, joins=5000)
    operator = bench.operator()
    await operator.look()
    assert bench.condition()[:2] == ("False", "ConfigError")
    told["no"] = False
    bench.clock.forward(60)
    await operator.look()
    assert bench.condition()[:2] == ("True", "Scheduled")


SECRET_QUOTA = ForbiddenError("secrets is forbidden: exceeded quota: few", status=403, reason="Forbidden")
SECRET_POLICY = ForbiddenError('admission webhook "x" denied the request: hush', status=403, reason="Forbidden")


@pytest.mark.parametrize(("error", "reason"), [(SECRET_QUOTA, "QuotaExceeded"), (SECRET_POLICY, "ConfigError")])
async def test_a_refused_secret_is_told_costs_few_tokens_and_heals(error: Exception, reason: str) -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    full = True

    async def refuse(call: Call) -> None:
        if full and (call.moment, call.verb, call.plural) == ("before", "create", "secrets"):
            raise error

    bench.cluster.inner = refuse
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.clock.seconds() >= 60)
    assert bench.condition()[:2] == ("False", reason)
    assert "hush" not in bench.condition()[2]
    assert len(bench.zoom.tokens.given) <= 6
    full = False
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    assert (bench.bot().status.attempts, len(bench.kubelet.starts)) == (1, 1)


async def test_a_secret_of_somebody_elses_with_the_pods_name_is_told() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    bench.put_secret(f"{POD}-zoom", mine="x")
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.clock.seconds() >= 30)
    assert bench.condition()[:2] == ("False", "ConfigError")
    assert f"{POD}-zoom" in bench.condition()[2]


async def test_an_immediate_bot_with_a_refused_template_fails_at_its_deadline() -> None:
    bench = Bench()
    await refused_until(bench, INVALID, joins=None)
    await bench.live(bench.operator())
    assert bench.condition()[1] == "StartDeadlineExceeded"
    assert "Required value" in bench.condition()[2]
    assert bench.clock.seconds() == 600


async def test_webhooks_that_know_no_dry_run_do_not_make_a_template_invalid() -> None:
    bench = Bench()
    bench.put_bot(joinAt=at(5000).isoformat())

    async def refuse(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise InvalidError('admission webhook "x" does not support dry run', status=400, reason="BadRequest")

    bench.cluster.inner = refuse
    await bench.operator().look()
    assert bench.condition()[:2] == ("True", "Scheduled")


async def test_a_bad_template_is_told_and_no_pod_is_made_until_it_is_mended() -> None:
    bench = Bench()
    bench.put_bot(template={"spec": {"containers": [{"name": "other", "image": "x"}]}})
    bench.put_mapping()
    operator = bench.operator()
    await operator.look()
    assert bench.condition()[:2] == ("False", "TemplateInvalid")
    assert "must have a container named bot" in bench.condition()[2]
    assert bench.cluster.count("create", PODS) == 0
    bench.put_bot(generation=2)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"


async def test_a_missing_passcode_secret_is_told_and_healed_when_it_comes() -> None:
    bench = Bench()
    key = {"name": "passcodes", "key": "standup"}
    bench.put_bot(meeting={"id": MEETING, "passcodeSecretKeyRef": key})
    bench.put_mapping()
    operator = bench.operator()
    after = await operator.look()
    assert bench.condition() == ("False", "ConfigError", "Secret passcodes does not exist.")
    bench.put_secret("passcodes", standup="hush-passcode\n")
    assert after is not None
    bench.clock.forward(after)
    await bench.live(operator)
    assert bench.heard("ZOOM_MEETING_PASSCODE") == ["hush-passcode"]


async def test_a_pod_of_someone_elses_is_told_and_not_taken_for_ours() -> None:
    bench = Bench()
    bench.put_bot()
    foreign = {"metadata": {"name": POD, "namespace": "team", "ownerReferences": [{"uid": "another"}]}, "spec": {}}
    bench.cluster.put(PODS, foreign)
    bench.cluster._objects["meetingbots", "team", "another"] = {
        "metadata": {"name": "another", "namespace": "team", "uid": "another", "resourceVersion": "1"},
    }
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.condition()[1] == "ConfigError")
    assert "does not belong to this MeetingBot" in bench.condition()[2]
    assert bench.zoom.tokens.asked == []
    bench.cluster.remove(PODS, namespace="team", name=POD)
    bench.clock.forward(5)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"


async def test_our_pod_that_is_just_going_away_is_a_loss_once_it_is_gone() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    lost = True

    async def lose(call: Call) -> None:
        nonlocal lost
        if lost and (call.moment, call.verb, call.plural) == ("after", "create", "pods"):
            lost = False
            item = bench.cluster.peek(PODS, namespace="team", name=POD)
            assert item is not None
            item["metadata"]["deletionTimestamp"] = at(60).isoformat()
            bench.cluster.put(PODS, item)
            raise UnavailableError("API server unreachable")

    bench.cluster.inner = lose
    operator = bench.operator()
    for _ in range(2):
        try:
            await operator.look()
        except UnavailableError:
            continue
    assert bench.pods() == [POD]
    assert bench.bot().status.infrastructure_restarts == 0
    bench.cluster.remove(PODS, namespace="team", name=POD)
    await bench.live(operator)
    status = bench.bot().status
    assert (status.phase, status.infrastructure_restarts, status.attempts) == (BotPhase.SUCCEEDED, 1, 1)


async def test_a_bot_that_cannot_be_read_is_told_once() -> None:
    bench = Bench()
    bench.put_bot(joinAt="9999-12-31T23:59:59-12:00")
    operator = bench.operator()
    for _ in range(3):
        await operator.look()
    item = bench.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    told = {condition["type"]: condition for condition in item["status"]["conditions"]}
    assert (told["Ready"]["status"], told["Ready"]["reason"]) == ("False", "ConfigError")
    assert "joinAt" in told["Ready"]["message"]
    assert told["Stalled"]["status"] == "True"
    assert bench.cluster.count("patch", BOTS) == 1
    bench.put_bot(generation=2)
    bench.put_mapping()
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    assert bench.condition("Stalled")[0] == ""


async def test_an_admission_webhook_that_does_not_answer_is_told_and_waited_for() -> None:
    bench = Bench()
    error = UnavailableError('Internal error occurred: failed calling webhook "x": refused', status=500)
    told = await refused_until(bench, error, joins=None)
    operator = bench.operator()
    assert await operator.look() == 5
    assert bench.condition() == ("False", "ConfigError", str(error))
    assert bench.condition("Reconciling")[0] == "True"
    told["no"] = False
    bench.clock.forward(5)
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"
    bench.check()

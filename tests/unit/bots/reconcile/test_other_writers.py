"""Other writers of a bot's Pod: a second release on the namespace, and mutating admission webhooks."""

import pytest
from meetingbots.kube.errors import ForbiddenError
from meetingbots.kube.resources import PODS

from tests.unit.bots.bot_builders import POD, at
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call

BARE = {"spec": {"containers": [{"name": "bot"}]}}


async def test_a_second_release_leaves_the_staged_pod_of_the_first_alone() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(120).isoformat(), template=BARE)
    harness.put_mapping()
    first = harness.operator(bot_image="registry.example/first:1", lease_name="first")
    second = harness.operator(bot_image="registry.example/second:1", lease_name="second")
    third = harness.operator(lease_name="third")  # without any image
    await harness.live(first, until=harness.waiting)
    for operator in (second, third, first, second, third):
        await operator.look()
    assert harness.pods() == [POD]
    harness.put_bot(generation=2, joinAt=at(120).isoformat(), displayName="Other", template=BARE)
    await second.look()
    assert harness.pods() == ["standup-abcde-2"], "an edit of the spec replaces the Pod"
    await harness.live(second)
    assert harness.bot().status.phase == "Succeeded"
    harness.check()


async def test_an_upgrade_of_the_release_replaces_its_staged_pod() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(120).isoformat(), template=BARE)
    await harness.live(harness.operator(bot_image="registry.example/old:1"), until=harness.waiting)
    upgraded = harness.operator(bot_image="registry.example/new:1")
    await harness.live(upgraded)
    [image] = [pod["spec"]["containers"][0]["image"] for pod in harness.cluster.all(PODS)]
    assert image == "registry.example/new:1"


async def test_mutations_of_a_pod_do_not_replace_it() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=at(120).isoformat())
    harness.put_mapping()

    async def mutate(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("after", "create", "pods"):
            pod = harness.cluster.peek(PODS, namespace="team", name=call.name)
            if pod is not None:
                pod["metadata"]["annotations"] = {"policies.example/last-applied": "added"}
                pod["metadata"]["labels"]["added"] = "yes"
                pod["spec"]["containers"].append({"name": "proxy", "image": "mesh"})
                pod["spec"]["containers"][0]["image"] = "mirror.example/bot:1"
                harness.cluster.put(PODS, pod)

    harness.cluster.inner = mutate
    await harness.live(harness.operator())
    assert (harness.bot().status.phase, harness.pods()) == ("Succeeded", [POD])
    harness.check()


@pytest.mark.parametrize(
    "message",
    [
        'pods "x" is forbidden: unable to validate against any security context constraint: [provider "restricted-v2": '
        ".spec.securityContext.runAsUser: Invalid value: 1000: must be in the ranges: [1000700000, 1000709999]]",
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
        'pods "x" is forbidden: [maximum cpu usage per Container is 1, but limit is 4]',
        'pods "x" is forbidden: maximum ephemeral-storage usage per Pod is 1Gi, but limit is 4Gi',
        'pods "x" is forbidden: minimum nvidia.com/gpu usage per Container is 1. No request is specified',
        'pods "x" is forbidden: cpu max limit to request ratio per Pod is 2, but provided ratio is 4.000000',
        'pods "x" is forbidden: failed quota: team: must specify limits.memory for: bot',
        'pods "x" is forbidden: pod node label selector conflicts with its namespace node label selector',
        'pods "x" is forbidden: pod tolerations (possibly merged with namespace default tolerations) are not in the '
        "allowed whitelist",
        'pods "x" is forbidden: image policy webhook backend denied one or more images: latest',
        'admission webhook "validate.kyverno.svc-fail" denied the request: no latest tag',
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression",
    ],
)
async def test_a_policy_that_rejects_the_pod_makes_the_template_invalid(message: str) -> None:
    harness = BotHarness()
    harness.put_bot()

    async def refuse(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods"):
            raise ForbiddenError(message, status=403, reason="Forbidden")

    harness.cluster.inner = refuse
    await harness.live(harness.operator(), until=harness.troubled)
    assert harness.condition()[1] == "TemplateInvalid"
    assert "forbidden" in harness.condition()[2] or "denied" in harness.condition()[2]

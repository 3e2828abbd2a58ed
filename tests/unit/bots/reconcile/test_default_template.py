"""The operator's default template: a bot that fails by it says that the fault is not its own."""

import asyncio
from pathlib import Path

import pytest
from meetingbots.bots.reconcile.default_template import DefaultTemplateCheck
from meetingbots.kube.errors import ForbiddenError, InvalidError, UnavailableError
from meetingbots.kube.resources import PODS

from tests.unit import virtual_time
from tests.unit.bots.bot_builders import at
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call, FakeKube

DEFAULT = "spec: {containers: [{name: bot, image: i}], nodeSelektor: {a: b}}\n"
OWN = {"spec": {"containers": [{"name": "bot", "image": "i"}], "unknownField": 1}}


@pytest.mark.parametrize(("own", "by_default"), [(None, True), (OWN, False)])
async def test_the_template_at_fault_is_named(tmp_path: Path, own: object, by_default: bool) -> None:
    """The API server refuses unknown fields, as with strict validation."""
    file = tmp_path / "template.yaml"
    file.write_text(DEFAULT if by_default else "spec: {containers: [{name: bot, image: i}]}\n")
    harness = BotHarness()
    harness.put_bot(template=own)
    kube_create = harness.cluster.create

    async def strict(*args: object, body: dict[str, object], **rest: object) -> object:
        spec = body.get("spec")
        unknown = [key for key in ("nodeSelektor", "unknownField") if isinstance(spec, dict) and key in spec]
        if unknown:
            raise InvalidError(f'strict decoding error: unknown field "spec.{unknown[0]}"', status=400, reason="Bad")
        return await kube_create(*args, body=body, **rest)  # type: ignore[arg-type]

    harness.cluster.create = strict  # type: ignore[method-assign,assignment]
    await harness.live(harness.operator(bot_template_file=file), until=harness.troubled)
    _, reason, message = harness.condition()
    assert reason == "TemplateInvalid"
    assert ("operator's default template" in message) is by_default
    assert "unknown field" in message
    assert harness.pods() == []


async def test_a_default_template_that_became_valid_lets_the_bot_join(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(DEFAULT)
    harness = BotHarness()
    harness.put_bot(template=None, tokens=[])

    async def strict(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("before", "create", "pods") and "nodeSelektor" in file.read_text():
            raise InvalidError("unknown field", status=400, reason="Bad")

    harness.cluster.inner = strict
    operator = harness.operator(bot_template_file=file)
    await harness.live(operator, until=harness.troubled)
    file.write_text("spec: {containers: [{name: bot, image: other}]}\n")
    harness.clock.forward(30)
    await harness.live(operator)
    assert [pod["spec"]["containers"][0]["image"] for pod in harness.cluster.all(PODS)] == ["other"]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_change_of_the_default_lets_no_bot_join_that_failed_by_its_own_template(
    tmp_path: Path, restart: bool
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("spec: {nodeSelector: {a: b}}\n")
    harness = BotHarness()
    harness.put_bot(template={"spec": {"containers": [{"name": "robot", "image": "i"}]}}, tokens=[])
    operator = harness.operator(bot_template_file=file)
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[1] == "TemplateInvalid"
    file.write_text("spec: {containers: [{name: bot, image: i}]}\n")
    harness.clock.forward(30)
    await harness.live(harness.operator(bot_template_file=file) if restart else operator)
    assert harness.pods() == []
    assert "container named bot" in harness.condition()[2], "the bot's deadline passes with the same cause"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("edit", [{"joinAt": at(60).isoformat()}, {"leaveAfterMeetingEndSeconds": 61}])
async def test_an_edit_lets_a_bot_join_that_the_new_default_completes(
    tmp_path: Path, edit: dict[str, object], restart: bool
) -> None:
    """The edit expects the bot again, also where its Pod stays the same."""
    file = tmp_path / "template.yaml"
    file.write_text("spec: {nodeSelector: {a: b}}\n")
    harness = BotHarness()
    own = {"spec": {"containers": [{"name": "robot", "image": "i"}]}}
    harness.put_bot(template=own, tokens=[])
    operator = harness.operator(bot_template_file=file)
    await harness.live(operator, until=harness.troubled)
    file.write_text("spec: {containers: [{name: bot, image: i}]}\n")
    await operator.look()
    assert harness.condition()[1] == "TemplateInvalid"
    harness.put_bot(template=own, tokens=[], generation=2, **edit)
    await harness.live(harness.operator(bot_template_file=file) if restart else operator)
    assert harness.condition()[1] == "Succeeded"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("own", [None, {"spec": {"containers": [{"name": "bot", "args": ["a"]}]}}])
async def test_a_bot_joins_once_the_platform_names_the_image_that_was_missing(
    tmp_path: Path, own: object, restart: bool
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("spec: {nodeSelector: {a: b}}\n")
    harness = BotHarness()
    harness.put_bot(template=own, tokens=[])
    operator = harness.operator(bot_template_file=file, bot_image="")
    await harness.live(operator, until=harness.troubled)
    assert harness.condition()[1] == "TemplateInvalid"
    assert "MEETINGBOTS_BOT_IMAGE" in harness.condition()[2]
    file.write_text("spec: {containers: [{name: bot, image: i}]}\n")
    harness.clock.forward(30)
    await harness.live(harness.operator(bot_template_file=file, bot_image="") if restart else operator)
    assert [pod["spec"]["containers"][0]["image"] for pod in harness.cluster.all(PODS)] == ["i"]


class Refusing(FakeKube):
    """An API server that answers each create with the next error; None accepts."""

    def __init__(self, *errors: Exception | None) -> None:
        super().__init__()
        self.errors = list(errors)
        self.asked: list[dict[str, object]] = []
        self.hook = self._refuse

    async def _refuse(self, call: Call) -> None:
        if call.moment == "before":
            self.asked.append({"verb": call.verb, "plural": call.plural, "namespace": call.namespace})
            error = self.errors.pop(0)
            if error is not None:
                raise error


UNKNOWN_FIELD = InvalidError('strict decoding error: unknown field "spec.nodeSelektor"', status=400, reason="Bad")
BY_WEBHOOK = InvalidError('admission webhook "x" denied the request: no', status=400, reason="Bad")
BY_POLICY = ForbiddenError("violates PodSecurity", status=403, reason="Forbidden")
AWAY = UnavailableError("API server unreachable")


async def seen_by_the_check(kube: Refusing, path: Path | None) -> list[bool]:
    """Whether the template was accepted, at the start and after each answer, until the check ends."""
    check = DefaultTemplateCheck(kube=kube, path=path, namespace="team")
    seen = [check.accepted]
    task = asyncio.create_task(check.run())
    while not task.done():
        known = len(kube.asked)
        await asyncio.sleep(1)
        if len(kube.asked) != known:
            seen.append(check.accepted)
    return seen


@pytest.mark.parametrize(
    ("errors", "seen"),
    [
        ((None,), [False, True]),
        ((UNKNOWN_FIELD, UNKNOWN_FIELD, None), [False, False, False, True]),
        ((BY_WEBHOOK,), [False, True]),
        ((BY_POLICY,), [False, True]),
        ((AWAY, UNKNOWN_FIELD, None), [False, True, False, True]),
    ],
)
def test_the_check_at_the_start_reports_what_kubernetes_refuses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, errors: tuple[Exception | None, ...], seen: list[bool]
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(DEFAULT)
    kube = Refusing(*errors)
    assert virtual_time.run(seen_by_the_check(kube, file)) == seen
    assert kube.asked == [{"verb": "create", "plural": "pods", "namespace": "team"}] * len(errors)
    assert kube.peek(PODS, namespace="team", name="sample") is None, "dry runs only"
    refused = [one for one in caplog.messages if "refuses the default template" in one]
    assert len(refused) == (1 if UNKNOWN_FIELD in errors else 0), "the same refusal is logged once"
    assert all("nodeSelektor" in one for one in refused)


def test_the_check_without_a_default_template_asks_nothing() -> None:
    kube = Refusing()
    assert virtual_time.run(seen_by_the_check(kube, None)) == [True]
    assert kube.asked == []

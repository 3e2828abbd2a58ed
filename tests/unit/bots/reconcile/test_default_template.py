"""The operator's default template: a bot that fails by it says that the fault is not its own."""

from pathlib import Path

import pytest
from meetingbots.kube.errors import InvalidError
from meetingbots.kube.resources import PODS

from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call

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

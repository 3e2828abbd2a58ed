from typing import Any

import pytest
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.pod import PodSettings, bot_pod, pod_shape

from tests.unit.bots.bot_builders import IMAGE, MEETING, NOW, POD, at, bot


def shape(name: str = "standup-abcde-1", *, meeting: str = "81234567890", **spec: Any) -> str:
    return pod_shape(bot_pod(bot(**spec), name=name, meeting=MeetingRef(meeting), settings=PodSettings(), now=NOW))


def with_bot(**changes: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "bot", "image": IMAGE, **changes}]}}


def test_name_meeting_display_name_and_times_do_not_change_the_shape() -> None:
    assert shape() == shape("other-fghij-3", meeting="999999999", displayName="Someone", joinAt=at(5000).isoformat())
    assert shape() == shape(maxDurationSeconds=60, startDeadlineSeconds=5, credentialRef={"name": "alice"})


@pytest.mark.parametrize(
    "template",
    [
        with_bot(image="registry.example/other:2"),
        with_bot(env=[{"name": "A", "value": "b"}]),
        with_bot(resources={"requests": {"cpu": "2"}}),
        {**with_bot(), "metadata": {"labels": {"a": "b"}}},
        {**with_bot(), "metadata": {"annotations": {"a": "b"}}},
        {"spec": {**with_bot()["spec"], "nodeSelector": {"a": "b"}}},
        {"spec": {"containers": [*with_bot()["spec"]["containers"], {"name": "side", "image": IMAGE}]}},
    ],
)
def test_everything_else_changes_the_shape(template: dict[str, Any]) -> None:
    assert shape(template=template) != shape()
    assert shape(template=template) == shape("other-fghij-3", template=template)


@pytest.mark.parametrize("name", [{"a": "b"}, ["a"], None])
def test_a_shape_exists_whatever_a_default_template_names_a_variable(name: Any) -> None:
    default = {"spec": {"containers": [{"name": "bot", "env": [{"name": name, "value": "x"}]}]}}
    settings = PodSettings(template=default)
    assert pod_shape(bot_pod(bot(), name=POD, meeting=MeetingRef(MEETING), settings=settings, now=NOW))

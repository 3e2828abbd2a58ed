import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.decide.pod_state import attempt_of, pod_name
from meetingbots.bots.manifests.environment import ALL
from meetingbots.bots.manifests.pod import SPEC_HASH_ANNOTATION, PodSettings, bot_pod, spec_hash
from meetingbots.bots.manifests.template import TemplateError

from tests.unit.bots.bot_builders import IMAGE, MEETING, NOW, POD, SECRET, UID, at, bot

DEFAULT_IMAGE = "registry.example/default:1"


def build(template: Any = None, *, image: str = DEFAULT_IMAGE, **spec: Any) -> dict[str, Any]:
    return bot_pod(
        bot(template=template, **spec),
        name=POD,
        meeting=MeetingRef(MEETING),
        settings=PodSettings(bot_image=image),
        now=NOW,
    )


def over(default: dict[str, Any], template: Any = None) -> dict[str, Any]:
    """A Pod from an author's template over the cluster's default one."""
    return bot_pod(
        bot(template=template), name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(template=default), now=NOW
    )


def with_bot(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "bot", "image": IMAGE, **(container or {})}], **spec}}


def container(pod: dict[str, Any], name: str = "bot") -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in pod["spec"]["containers"] if item["name"] == name)
    return found


def test_names_are_those_of_the_contract() -> None:
    assert pod_name(bot(), attempt=1) == "standup-abcde-1"
    assert attempt_of("stand-up-abcde-12") == 12
    longest = bot().model_copy(update={"metadata": bot().metadata.model_copy(update={"name": "n" * 48})})
    assert len(pod_name(longest, attempt=1000)) <= 63


def test_without_a_template_the_operators_image_is_used() -> None:
    templates: list[Any] = [None, {}, {"metadata": {"labels": {"a": "b"}}}, {"spec": None}, {"spec": {}}]
    for template in templates:
        pod = build(template)
        assert [item["name"] for item in pod["spec"]["containers"]] == ["bot"]
        assert container(pod)["image"] == DEFAULT_IMAGE
    assert container(build(with_bot({"image": ""})))["image"] == DEFAULT_IMAGE
    assert container(build(with_bot()))["image"] == IMAGE


def test_labels_and_annotations_that_a_template_may_not_change() -> None:
    template = with_bot()
    template["metadata"] = {
        "name": "mine",
        "namespace": "elsewhere",
        "labels": {
            "team": "a",
            "app.kubernetes.io/managed-by": "me",
            "meetingbots.dev/bot": "x",
            "meetingbots.dev/meeting-id": "1",
        },
        "annotations": {SPEC_HASH_ANNOTATION: "x", "note": "kept"},
    }
    metadata = build(template)["metadata"]
    assert (metadata["name"], metadata["namespace"]) == (POD, "team")
    assert metadata["labels"] == {
        "team": "a",
        "app.kubernetes.io/managed-by": "meetingbots",
        "meetingbots.dev/bot": "standup",
        "meetingbots.dev/meeting-id": MEETING,
    }
    assert metadata["annotations"]["note"] == "kept"
    assert metadata["annotations"][SPEC_HASH_ANNOTATION] != "x"


def test_the_pod_is_owned_by_the_bot() -> None:
    (owner,) = build()["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingBot",
        "name": "standup",
        "uid": UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_our_environment_follows_the_templates() -> None:
    template = with_bot({"env": [{"name": "A", "value": "1"}], "args": ["--join-token", "$(ZOOM_JOIN_TOKEN)"]})
    made = container(build(template, displayName="5$ bot"))
    assert made["env"][0] == {"name": "A", "value": "1"}
    assert {item["name"] for item in made["env"][1:]} == ALL
    assert made["args"] == ["--join-token", "$(ZOOM_JOIN_TOKEN)"]
    assert {"name": "ZOOM_DISPLAY_NAME", "value": "5$$ bot"} in made["env"]
    token = next(item for item in made["env"] if item["name"] == "ZOOM_JOIN_TOKEN")
    assert token["valueFrom"] == {"secretKeyRef": {"name": SECRET, "key": "ZOOM_JOIN_TOKEN"}}
    others = [item for item in build(template)["spec"]["containers"] if item["name"] != "bot"]
    assert all("env" not in item for item in others)


def test_no_secret_of_the_meeting_is_in_the_pod() -> None:
    pod = build(with_bot(), meeting={"url": f"https://zoom.us/j/{MEETING}?pwd=hush&tk=hush-tk"})
    assert "hush" not in json.dumps(pod)


def test_active_deadline_is_a_backstop() -> None:
    assert build(with_bot())["spec"]["activeDeadlineSeconds"] == 120 + 600 + 14_400 + 900 + 600
    assert build(with_bot(), tokens=[])["spec"]["activeDeadlineSeconds"] == 120 + 600 + 14_400 + 600
    later = build(
        with_bot(), tokens=["ZAK"], joinAt=at(300).isoformat(), startDeadlineSeconds=60, maxDurationSeconds=1000
    )
    assert later["spec"]["activeDeadlineSeconds"] == 300 + 60 + 1000 + 600
    assert build(with_bot(activeDeadlineSeconds=30))["spec"]["activeDeadlineSeconds"] == 30
    assert build(with_bot(activeDeadlineSeconds=10**9), tokens=[])["spec"]["activeDeadlineSeconds"] == 15_720
    assert build(with_bot(), joinAt="2999-01-01T00:00:00Z")["spec"]["activeDeadlineSeconds"] == 2**31 - 1


def test_building_changes_nothing_of_the_bot_and_is_repeatable() -> None:
    made = bot(template=with_bot({"env": [{"name": "A", "value": "1"}]}, tolerations=[]))
    before = copy.deepcopy(made.spec.template)
    pods = [bot_pod(made, name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(), now=NOW) for _ in range(2)]
    assert pods[0] == pods[1]
    assert made.spec.template == before


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"spec": {"containers": [{"name": "other", "image": "x"}]}}, "must have a container named bot"),
        ({"spec": {"containers": []}}, "must have a container named bot"),
        ({"spec": {"containers": {"name": "bot"}}}, "containers must be a list"),
        ({"spec": {"containers": ["bot"]}}, "containers must be a list"),
        ({"spec": []}, "spec must be an object"),
        ({"spec": "bot"}, "spec must be an object"),
        ({"metadata": ["x"], **with_bot()}, "metadata must be an object"),
        ({"metadata": {"labels": ["x"]}, **with_bot()}, "labels must be an object"),
        ({"metadata": {"annotations": "x"}, **with_bot()}, "annotations must be an object"),
        (with_bot({"env": {"A": "1"}}), "env must be a list"),
        (with_bot({"env": ["A=1"]}), "env must be a list"),
        (
            with_bot({"env": [{"name": "ZOOM_ZAK", "value": "x"}, {"name": "ZOOM_JOIN_TOKEN"}]}),
            "ZOOM_JOIN_TOKEN, ZOOM_ZAK",
        ),
        (with_bot({"env": [{"name": "ZOOM_MEETING_ID", "value": "1"}]}), "ZOOM_MEETING_ID"),
        (with_bot({"securityContext": []}), r"template\.spec\.containers\[bot\]\.securityContext must be an object"),
        (
            with_bot({"securityContext": {"capabilities": []}}),
            r"template\.spec\.containers\[bot\]\.securityContext\.capabilities must be an object",
        ),
        (
            with_bot(initContainers=[{"name": "first", "securityContext": 1}]),
            r"template\.spec\.initContainers\[first\]\.securityContext must be an object",
        ),
        (with_bot(restartPolicy="Always"), "restartPolicy must be Never"),
        (with_bot(restartPolicy="OnFailure"), "restartPolicy must be Never"),
        (with_bot(securityContext=1), "securityContext must be an object"),
        (with_bot(tolerations={}), "tolerations must be a list"),
        (with_bot(initContainers={}), "initContainers must be a list"),
        (with_bot(activeDeadlineSeconds="60"), "activeDeadlineSeconds must be a whole number"),
        (with_bot(activeDeadlineSeconds=True), "activeDeadlineSeconds must be a whole number"),
    ],
)
def test_errors_say_what_is_wrong(template: dict[str, Any], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        build(template)


def test_without_any_image_it_says_so() -> None:
    with pytest.raises(TemplateError, match=r"containers\[bot\]\.image is missing.*MEETINGBOTS_BOT_IMAGE"):
        build(None, image="")


def test_the_fingerprint_covers_everything_that_changes_the_pod() -> None:
    def of(meeting_id: str = MEETING, **spec: Any) -> str:
        return spec_hash(bot(**spec), meeting=MeetingRef(meeting_id), settings=PodSettings(bot_image="i"))

    changed = [
        of(displayName="Other"),
        of(template=with_bot({"args": ["x"]})),
        of(meeting_id="99999999999"),
        of(tokenDelivery="BeforePod"),
        of(maxDurationSeconds=5),
        of(startDeadlineSeconds=5),
    ]
    assert len({of(), *changed}) == len(changed) + 1
    same = [of(suspend=True), of(tokenPolicy="Required"), of(credentialRef={"name": "a"}), of(joinAt=at(9).isoformat())]
    assert set(same) == {of()}


@pytest.mark.parametrize(
    ("template", "default", "matters"),
    [
        ({"spec": {"containers": [{"name": "bot", "image": "mine"}]}}, {}, False),
        ({}, {"spec": {"containers": [{"name": "bot", "image": "ours"}]}}, False),
        ({"spec": {"containers": [{"name": "bot"}]}}, {}, True),
        ({"spec": {"containers": [{"name": "other", "image": "mine"}]}}, {}, True),
        ({"spec": {"containers": "nonsense"}}, {}, True),
        ({"spec": None}, {}, True),
        (None, {}, True),
    ],
)
def test_another_default_image_replaces_only_pods_that_have_it(template: Any, default: Any, matters: bool) -> None:
    one, other = (
        spec_hash(
            bot(template=template),
            meeting=MeetingRef(MEETING),
            settings=PodSettings(bot_image=image, template=default or {}),
        )
        for image in ("old", "new")
    )
    assert (one != other) is matters


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("metadata", "labels", "annotations", "name", "env", "image", "securityContext", "capabilities", "drop", "key")
SHAPED = st.recursive(
    JSON | st.sampled_from(["bot", "Never", "ZOOM_ZAK"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
SPEC_KEYS = (
    "restartPolicy",
    "securityContext",
    "tolerations",
    "initContainers",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
)
CONTAINER_KEYS = ("env", "image", "securityContext", "imagePullPolicy", "ports")
BOT_CONTAINERS = st.dictionaries(st.sampled_from(CONTAINER_KEYS), SHAPED, max_size=3).map(
    lambda fields: {"name": "bot", **fields}
)
SPECS = st.builds(
    lambda containers, fields: {**fields, "containers": containers},
    st.lists(BOT_CONTAINERS | SHAPED, max_size=3) | SHAPED,
    st.dictionaries(st.sampled_from(SPEC_KEYS), SHAPED, max_size=4),
)
TEMPLATES = st.fixed_dictionaries({}, optional={"metadata": SHAPED, "spec": SPECS | SHAPED, "other": JSON})


@settings(max_examples=400, deadline=None)
@given(TEMPLATES)
def test_any_template_gives_a_pod_or_a_template_error(template: dict[str, Any]) -> None:
    try:
        pod = build(template)
    except TemplateError:
        return
    made = container(pod)
    assert [item["name"] for item in made["env"][-len(ALL) :]] == [item["name"] for item in container(build())["env"]]
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["metadata"]["labels"]["meetingbots.dev/bot"] == "standup"
    json.dumps(pod)


def test_a_template_is_merged_over_the_default_template() -> None:
    default = {
        "metadata": {"labels": {"team": "bots"}},
        "spec": {
            "nodeSelector": {"pool": "bots"},
            "containers": [{"name": "bot", "image": "default/bot:1", "env": [{"name": "TZ", "value": "UTC"}]}],
        },
    }
    assert over(default)["spec"]["containers"][0]["image"] == "default/bot:1"
    side_car = {"name": "uploader", "image": "up:1"}
    mine = {"spec": {"containers": [{"name": "bot", "image": "mine:2"}, side_car], "nodeSelector": {"zone": "a"}}}
    made = over(default, mine)
    assert [(one["name"], one["image"]) for one in made["spec"]["containers"]] == [
        ("bot", "mine:2"),
        ("uploader", "up:1"),
    ]
    assert made["spec"]["containers"][0]["env"][0] == {"name": "TZ", "value": "UTC"}
    assert made["spec"]["nodeSelector"] == {"pool": "bots", "zone": "a"}
    assert made["metadata"]["labels"]["team"] == "bots"
    assert made["spec"]["containers"][1]["securityContext"]["allowPrivilegeEscalation"] is False


def test_a_merge_error_names_the_field() -> None:
    with pytest.raises(TemplateError, match=r"template\.spec\.containers\[1\] has no name"):
        over({}, {"spec": {"containers": [{"name": "bot", "image": "i"}, {"image": "j"}]}})


def test_another_default_template_makes_another_pod() -> None:
    marks = {
        over(default)["metadata"]["annotations"][SPEC_HASH_ANNOTATION]
        for image in ("a", "b")
        for default in [{"spec": {"containers": [{"name": "bot", "image": image}]}}]
    }
    assert len(marks) == 2

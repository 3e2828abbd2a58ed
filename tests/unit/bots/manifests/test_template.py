"""Templates that Kubernetes stores and no Pod can be built from: each is an error that names its place."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.pod import PodSettings, accepted_hash, bot_pod, is_foreign_hash, spec_hash
from meetingbots.bots.manifests.template import MAX_DEPTH, TemplateError, check_content

from tests.unit.bots.bot_builders import MEETING, NOW, POD, bot


def nested(levels: int, *, lists: bool = False) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value] if lists else {"a": value}
    return value


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("levels", [MAX_DEPTH, 1_100, 100_000])
def test_deep_nesting_is_an_error(levels: int, lists: bool) -> None:
    template = {"spec": {"nodeSelector": nested(levels, lists=lists)}}
    with pytest.raises(TemplateError, match=r"template\.spec\.nodeSelector.* nests more than 32 levels deep"):
        bot_pod(bot(template=template), name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(), now=NOW)
    with pytest.raises(TemplateError):
        spec_hash(bot(template=template), meeting=MeetingRef(MEETING), settings=PodSettings())


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud83d", "a\udc00"])
def test_text_that_no_container_can_get_is_an_error(text: str) -> None:
    for template in (
        {"spec": {"containers": [{"name": "bot", "env": [{"name": "A", "value": text}]}]}},
        {"spec": {"containers": [{"name": "bot", "args": [text]}]}},
        {"spec": {"nodeSelector": {text: "x"}}},
        {"metadata": {"labels": {"a": text}}},
    ):
        with pytest.raises(TemplateError, match="NUL or half of a surrogate pair"):
            check_content(template)
    check_content({"spec": {"nodeSelector": {"a": "\U0001f600 \u00e9\n\t"}}})


def test_a_number_beyond_kubernetes_is_an_error() -> None:
    for number in (10**5000, -(10**5000), float("inf"), float("nan"), 2**63):
        with pytest.raises(TemplateError, match=r"template\.spec\.priority is a number"):
            check_content({"spec": {"priority": number}})
    check_content({"spec": {"priority": 2**31, "x": 1.5}})


def test_a_huge_list_is_merged_in_linear_time() -> None:
    many = [{"name": f"V{number}", "value": ""} for number in range(20_000)]
    gone = [{"name": f"V{number}", "$patch": "delete"} for number in range(20_000)]
    template = {"spec": {"containers": [{"name": "bot", "image": "i", "env": many + gone + many}]}}
    start = time.process_time()
    pod = bot_pod(bot(template=template), name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(), now=NOW)
    assert time.process_time() - start < 5
    assert len(pod["spec"]["containers"][0]["env"]) > 20_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(spec=st.dictionaries(st.sampled_from(["containers", "volumes", "securityContext", "tolerations", "os"]), JSON))
def test_any_json_gives_a_pod_or_a_template_error(spec: dict[str, Any]) -> None:
    made = bot(template={"spec": spec})
    with contextlib.suppress(TemplateError):
        bot_pod(made, name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(bot_image="i"), now=NOW)


def hashed(settings: PodSettings, **spec: Any) -> str:
    return spec_hash(bot(**spec), meeting=MeetingRef(MEETING), settings=settings)


def test_a_pod_of_another_release_may_stay_while_the_spec_is_the_same() -> None:
    ours = PodSettings(bot_image="ours", operator="a/lease")
    theirs = PodSettings(bot_image="theirs", operator="b/lease")
    assert is_foreign_hash(hashed(ours), hashed(theirs))
    assert accepted_hash(hashed(ours), hashed(theirs)) == hashed(theirs)
    changed = hashed(theirs, displayName="Other")
    assert accepted_hash(hashed(ours), changed) == hashed(ours), "an edit of the spec replaces any Pod"


def test_an_upgrade_of_the_same_release_replaces_its_pods() -> None:
    old = hashed(PodSettings(bot_image="old", operator="a/lease"))
    new = hashed(PodSettings(bot_image="new", operator="a/lease"))
    assert accepted_hash(new, old) == new


def test_a_pod_may_stay_without_its_annotation() -> None:
    assert accepted_hash(hashed(PodSettings()), "") == ""


@pytest.mark.parametrize("found", ["x", "a.b", "0123456789abcdef"])
def test_a_malformed_fingerprint_replaces_the_pod(found: str) -> None:
    assert accepted_hash(hashed(PodSettings()), found) == hashed(PodSettings())

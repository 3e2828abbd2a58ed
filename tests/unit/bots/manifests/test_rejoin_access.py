import hashlib
from typing import Any

import pytest
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests import environment
from meetingbots.bots.manifests.pod import PodSettings, bot_pod, spec_hash
from meetingbots.bots.manifests.template import TemplateError

from tests.unit.bots.bot_builders import IMAGE, MEETING, NOW, POD, bot

BASE = "http://tokens.example:8082"


def build(*, token_url: str = BASE, endpoint: bool = True, **template: Any) -> dict[str, Any]:
    containers = template.pop("containers", [{"name": "bot", "image": IMAGE}])
    given = bot(tokenEndpoint=endpoint, template={"spec": {"containers": containers, **template}})
    return bot_pod(given, name=POD, meeting=MeetingRef(MEETING), settings=PodSettings(token_url=token_url), now=NOW)


def env(pod: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}


def test_the_pod_gets_url_file_and_its_own_token() -> None:
    pod = build()
    assert env(pod)["ZOOM_TOKEN_URL"] == "http://tokens.example:8082/token"
    assert env(pod)["ZOOM_TOKEN_URL_TOKEN_FILE"] == "/var/run/secrets/meetingbots.dev/token"
    source = {"audience": "meetingbots", "expirationSeconds": 3600, "path": "token"}
    volume = {"name": "meetingbots-token", "projected": {"sources": [{"serviceAccountToken": source}]}}
    assert pod["spec"]["volumes"] == [volume]
    mount = {"name": "meetingbots-token", "mountPath": "/var/run/secrets/meetingbots.dev", "readOnly": True}
    assert pod["spec"]["containers"][0]["volumeMounts"] == [mount]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert environment.has_endpoint(pod)


def test_the_url_may_name_the_bots_namespace_by_its_hash() -> None:
    assert env(build(token_url="http://tokens-{hash}.system.svc:8082"))["ZOOM_REPORT_URL"] == (
        f"http://tokens-{hashlib.sha256(bot().namespace.encode()).hexdigest()[:10]}.system.svc:8082/report"
    )


def test_without_token_endpoint_the_pod_gets_no_access() -> None:
    pod = build(endpoint=False)
    assert not {"ZOOM_TOKEN_URL", "ZOOM_TOKEN_URL_TOKEN_FILE"} & env(pod).keys()
    assert "volumes" not in pod["spec"]
    assert not environment.has_endpoint(pod)
    assert not environment.has_endpoint({"spec": {"containers": [{"name": "bot"}]}})


def test_only_container_bot_gets_it_and_the_templates_own_volumes_stay() -> None:
    own = {"name": "work", "emptyDir": {}}
    mount = {"name": "work", "mountPath": "/work"}
    containers = [{"name": "bot", "image": IMAGE, "volumeMounts": [mount]}, {"name": "side", "image": IMAGE}]
    pod = build(containers=containers, volumes=[own], initContainers=[{"name": "first", "image": IMAGE}])
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["work", "meetingbots-token"]
    bot_container, side = pod["spec"]["containers"]
    assert [each["name"] for each in bot_container["volumeMounts"]] == ["work", "meetingbots-token"]
    for other in (side, pod["spec"]["initContainers"][0]):
        assert "volumeMounts" not in other
        assert "env" not in other


@pytest.mark.parametrize("name", ["ZOOM_TOKEN_URL", "ZOOM_TOKEN_URL_TOKEN_FILE"])
@pytest.mark.parametrize("endpoint", [True, False])
def test_a_template_may_not_set_the_variables(name: str, endpoint: bool) -> None:
    containers = [{"name": "bot", "image": IMAGE, "env": [{"name": name, "value": "http://evil.example"}]}]
    with pytest.raises(TemplateError, match=name):
        build(containers=containers, endpoint=endpoint)


def test_a_missing_endpoint_or_a_taken_volume_name_is_an_error() -> None:
    with pytest.raises(TemplateError, match="TOKEN_URL"):
        build(token_url="")
    with pytest.raises(TemplateError, match="meetingbots-token"):
        build(volumes=[{"name": "meetingbots-token", "emptyDir": {}}])


def test_a_staged_pod_is_replaced_when_the_access_changes() -> None:
    def hashed(*, endpoint: bool, token_url: str) -> str:
        return spec_hash(
            bot(tokenEndpoint=endpoint), meeting=MeetingRef(MEETING), settings=PodSettings(token_url=token_url)
        )

    assert hashed(endpoint=False, token_url="") == hashed(endpoint=False, token_url=BASE)
    seen = {hashed(endpoint=False, token_url=BASE), hashed(endpoint=True, token_url=BASE)}
    assert len(seen | {hashed(endpoint=True, token_url="http://other.example")}) == 3

"""The Pods' arguments, environment, ports and probes match the programs' settings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.pod import PodSettings, bot_pod
from meetingbots.bots.reconcile.pods import DefaultTemplate
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.settings import LogFormat, LogLevel, OperatorSettings, ReceiverSettings, Settings
from pydantic_settings import CliApp

from tests.chart.rendering import EVERYTHING, ROOT, Helm, Object, only


def container(objects: list[Object], component: str) -> dict[str, Any]:
    pod = only(objects, "Deployment", ending=f"-{component}")["spec"]["template"]["spec"]
    [found] = pod["containers"]
    return dict(found)


def settings(found: dict[str, Any], kind: type[Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Parse arguments and environment like the program; each of our variables must be one of its settings."""
    command, *flags = found["args"]
    assert command == {OperatorSettings: "operator", ReceiverSettings: "webhook"}[kind]
    for variable in found["env"]:
        name = variable["name"]
        if name.startswith("MEETINGBOTS_"):
            value = variable.get("value", "from-the-field")
            monkeypatch.setenv(name, value)
    return CliApp.run(kind, cli_args=flags)


def with_its_file(objects: list[Object], found: dict[str, Any], *, variable: str, folder: Path) -> Path:
    """Write the file that a variable names, like the kubelet from a ConfigMap, and point the variable to it."""
    [setting] = [one for one in found["env"] if one["name"] == variable]
    path = Path(setting["value"])
    [mount] = [one for one in found["volumeMounts"] if Path(one["mountPath"]) == path.parent]
    pod = only(objects, "Deployment", ending=f"-{found['name']}")["spec"]["template"]["spec"]
    [volume] = [one for one in pod["volumes"] if one["name"] == mount["name"]]
    file = folder / path.name
    file.write_text(only(objects, "ConfigMap", ending=volume["configMap"]["name"])["data"][path.name])
    setting["value"] = str(file)
    return file


def test_operator_by_default(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    got = settings(container(helm.template(), "operator"), OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    assert (got.leader_elect, got.health_port, got.metrics_port, got.log_format) == (True, 8081, 9090, LogFormat.JSON)
    assert (got.all_namespaces, got.namespaces, got.bot_image, got.public_url) == (True, (None,), "", "")
    assert got.allowed_token_url_hosts == got.allowed_notify_url_hosts == ()
    assert got.bot_template_file is None
    assert got.bot_ttl_seconds_after_finished is None
    defaults = OperatorSettings()
    assert (got.zoom_api_url, got.zoom_oauth_url) == (defaults.zoom_api_url, defaults.zoom_oauth_url)


def test_finished_bots_can_go_at_once(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = helm.template({"bot": {"ttlSecondsAfterFinished": 0}})
    got = settings(container(objects, "operator"), OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    assert got.bot_ttl_seconds_after_finished == 0


def test_operator_with_everything(helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    objects = helm.template(files=[EVERYTHING])
    found = container(objects, "operator")
    file = with_its_file(objects, found, variable="MEETINGBOTS_BOT_TEMPLATE_FILE", folder=tmp_path)
    got = settings(found, OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    assert got.namespaces == ("team-a", "team-b")
    assert got.allowed_token_url_hosts == ("tokens.example", "private:other.example:8443")
    assert got.allowed_notify_url_hosts == ("notify.example",)
    assert got.min_share_percent == 20
    assert got.bot_ttl_seconds_after_finished == 86400
    assert (got.bot_image, got.public_url) == ("registry.example/bot:1", "https://bots.example")
    assert (got.zoom_api_url, got.zoom_oauth_url) == (
        "http://x-meetingbots-simulator.system.svc:8085/v2",
        "http://x-meetingbots-simulator.system.svc:8085/oauth",
    )
    assert (got.log_level, got.log_format) == (LogLevel.DEBUG, LogFormat.TEXT)
    assert got.bot_template_file == file
    assert DefaultTemplate(file).current() == yaml.safe_load(EVERYTHING.read_text())["bot"]["template"]
    assert got.system_namespace == "from-the-field"
    field = next(one for one in found["env"] if one["name"] == "MEETINGBOTS_SYSTEM_NAMESPACE")
    assert field["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_a_bot_without_a_template_is_made_from_the_charts(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    template = yaml.safe_load((ROOT / "examples" / "settings" / "default-template.yaml").read_text())
    objects = helm.template({"bot": {"template": template}})
    found = container(objects, "operator")
    with_its_file(objects, found, variable="MEETINGBOTS_BOT_TEMPLATE_FILE", folder=tmp_path)
    got = settings(found, OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    now, spec = datetime(2026, 11, 24, tzinfo=UTC), {"meeting": {"id": "81234567890"}}
    pod = bot_pod(
        MeetingBot.from_object({"metadata": {"name": "b", "uid": "u", "creationTimestamp": now}, "spec": spec}),
        name="b-u-1",
        meeting=MeetingRef("81234567890"),
        settings=PodSettings(bot_image=got.bot_image, template=DefaultTemplate(got.bot_template_file).current()),
        now=now,
    )
    assert pod["metadata"]["labels"]["team"] == "meeting-bots"
    assert pod["spec"]["nodeSelector"] == template["spec"]["nodeSelector"]
    [made] = pod["spec"]["containers"]
    assert made["image"] == template["spec"]["containers"][0]["image"]


def test_the_operators_pods_are_replaced_when_the_template_changes(helm: Helm) -> None:
    marks = set()
    for pool in ("a", "b", "b"):
        objects = helm.template({"bot": {"template": {"spec": {"nodeSelector": {"pool": pool}}}}})
        pod = only(objects, "Deployment", ending="-operator")["spec"]["template"]
        marks.add(pod["metadata"]["annotations"]["meetingbots.dev/bot-template-checksum"])
        assert "annotations" not in only(objects, "Deployment", ending="-receiver")["spec"]["template"]["metadata"]
    assert len(marks) == 2


def test_the_token_endpoint_is_off_and_can_be_reached_when_it_is_on(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = settings(container(helm.template(), "operator"), OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    assert (got.token_port, got.token_url) == (0, "")
    objects = helm.template({"tokenEndpoint": {"enabled": True}})
    found = container(objects, "operator")
    got = settings(found, OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    service = only(objects, "Service", ending="-operator-tokens")
    [port] = service["spec"]["ports"]
    assert got.token_url == f"http://{service['metadata']['name']}.system.svc:{port['port']}"
    assert {"name": port["targetPort"], "containerPort": got.token_port, "protocol": "TCP"} in found["ports"]
    pod = only(objects, "Deployment", ending="-operator")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pod.items()


def test_the_token_endpoint_may_have_tls(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = helm.template({"tokenEndpoint": {"enabled": True, "tls": {"secretName": "token-tls"}}})
    found = container(objects, "operator")
    got = settings(found, OperatorSettings, monkeypatch)
    assert isinstance(got, OperatorSettings)
    assert got.token_url == "https://x-meetingbots-operator-tokens.system.svc:8082"
    [mount] = [one for one in found["volumeMounts"] if Path(one["mountPath"]) == got.token_tls_dir]
    volumes = only(objects, "Deployment", ending="-operator")["spec"]["template"]["spec"]["volumes"]
    assert {"name": mount["name"], "secret": {"secretName": "token-tls"}} in volumes
    assert "token-tls" not in str(container(objects, "receiver"))


def test_receiver(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    found = container(helm.template(files=[EVERYTHING]), "receiver")
    got = settings(found, ReceiverSettings, monkeypatch)
    assert isinstance(got, ReceiverSettings)
    assert (got.port, got.metrics_port, got.namespaces) == (8080, 9090, ("team-a", "team-b"))
    assert got.public_url == "https://bots.example"


def test_metrics_may_be_off(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = helm.template({"metrics": {"enabled": False}})
    got = settings(container(objects, "operator"), OperatorSettings, monkeypatch)
    assert got.metrics_port == 0
    for component in ("operator", "receiver"):
        assert "metrics" not in {port["name"] for port in container(objects, component)["ports"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"publicUrl": "https://a.example/"}, "https://a.example"),
        ({"ingress": {"enabled": True, "host": "b.example"}}, "https://b.example"),
        (
            {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["c.example"]}},
            "https://c.example",
        ),
        ({"publicUrl": "https://a.example", "ingress": {"enabled": True, "host": "b.example"}}, "https://a.example"),
        ({}, ""),
    ],
)
def test_the_public_address_is_known_to_both(helm: Helm, values: dict[str, Any], expected: str) -> None:
    objects = helm.template(values)
    for component in ("operator", "receiver"):
        [found] = [v for v in container(objects, component)["env"] if v["name"] == "MEETINGBOTS_PUBLIC_URL"]
        assert found["value"] == expected


@pytest.mark.parametrize(("component", "port"), [("operator", "health"), ("receiver", "http")])
def test_the_probes_ask_what_is_served(helm: Helm, component: str, port: str) -> None:
    found = container(helm.template(), component)
    assert port in {one["name"] for one in found["ports"]}
    paths = {kind: found[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/healthz", "port": port},
        "livenessProbe": {"path": "/healthz", "port": port},
        "readinessProbe": {"path": "/readyz", "port": port},
    }


@pytest.mark.parametrize("values", [{}, {"metrics": {"enabled": False}}])
def test_both_are_in_their_namespace_as_pod_security_wants_it(helm: Helm, values: dict[str, Any]) -> None:
    for component in ("operator", "receiver"):
        pod = only(helm.template(values), "Deployment", ending=f"-{component}")["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        [found] = pod["containers"]
        assert found["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["terminationGracePeriodSeconds"] == 60

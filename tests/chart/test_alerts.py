"""Alerts, recording rules and dashboard: their series exist, and the alerts fire when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from meetingbots.runtime.metrics import Metrics

from tests.chart.rendering import CHART, ROOT, Helm, of_kind, only

PAGE = ROOT / "docs" / "operators" / "alerts.md"

ON = {"metrics": {"prometheusRule": {"enabled": True}}}
# Labels that Prometheus adds; a label of ours with the same name gets the prefix `exported_`.
ADDED = {"namespace", "job"}
SERIES = re.compile(r"\b(meetingbots_\w+|up)\{([^}]*)\}")
RECORDED = re.compile(r"\bmeetingbots:\w+:ratio_rate\w+")
CASES = Path(__file__).with_name("alert_cases.yaml")


def labels_by_name() -> dict[str, set[str]]:
    """Map the name of each scraped series to its labels."""
    collectors = [one for one in vars(Metrics()).values() if hasattr(one, "_labelnames")]
    found = {}
    for one in collectors:
        labels = set(one._labelnames)
        for suffix in {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}[one._type]:
            found[f"{one._name}{suffix}"] = labels | ({"le"} if suffix == "_bucket" else set())
    return {**found, "up": set()}


@pytest.fixture
def spec(helm: Helm) -> dict[str, Any]:
    found: dict[str, Any] = only(helm.template(ON, release="prod"), "PrometheusRule")["spec"]
    return found


@pytest.fixture
def rules(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in spec["groups"] for rule in group["rules"]]


@pytest.fixture
def alerts(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for rule in rules if "alert" in rule]


def test_every_alert_has_a_severity_and_a_sentence(alerts: list[dict[str, Any]]) -> None:
    names = [(rule["alert"], rule["labels"]["severity"]) for rule in alerts]
    assert len(set(names)) == len(names)
    for rule in alerts:
        assert rule["alert"].startswith("MeetingBots")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")


def test_every_alert_has_a_section_on_the_page_of_its_runbook(alerts: list[dict[str, Any]]) -> None:
    page = PAGE.read_text()
    sections = {line.removeprefix("## ").lower() for line in page.splitlines() if line.startswith("## ")}
    for rule in alerts:
        address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / address).samefile(PAGE)
        assert anchor == rule["alert"].lower()
        assert anchor in sections
    assert {rule["alert"].lower() for rule in alerts} == {name for name in sections if name.startswith("meetingbots")}


def test_every_series_is_one_of_ours(rules: list[dict[str, Any]]) -> None:
    known = labels_by_name()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        assert set(RECORDED.findall(rule["expr"])) <= recorded
        text = RECORDED.sub("", rule["expr"])
        series = SERIES.findall(text)
        assert len(series) == len(re.findall(r"meetingbots_\w+|\bup\b", re.sub(r'"[^"]*"', "", text)))
        for name, selector in series:
            used = set(re.findall(r"(\w+)=~?\"", selector))
            assert name in known, rule
            assert used - ADDED <= known[name], rule
            assert used >= ADDED, rule


def test_the_jobs_are_the_services_that_are_scraped(helm: Helm, rules: list[dict[str, Any]]) -> None:
    """The series of a ServiceMonitor have the Service's name as their job."""
    services = {one["metadata"]["name"] for one in of_kind(helm.template(release="prod"), "Service")}
    jobs = {job for rule in rules for job in re.findall(r'job="([^"]*)"', rule["expr"])}
    assert jobs == {name for name in services if name.endswith("-metrics")}
    assert {ns for rule in rules for ns in re.findall(r'[{ ]namespace="([^"]*)"', rule["expr"])} == {"system"}


def test_the_targets_of_the_pod_monitor_have_the_same_jobs(helm: Helm, rules: list[dict[str, Any]]) -> None:
    objects = helm.template({"metrics": {"podMonitor": {"enabled": True}}}, release="prod")
    [endpoint] = only(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    first = endpoint["relabelings"][0]
    assert (first["targetLabel"], first.keys()) == ("job", {"sourceLabels", "targetLabel", "replacement"})
    jobs = set()
    for deployment in of_kind(objects, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        found = {f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9_]', '_', key)}": labels[key] for key in labels}
        [source] = first["sourceLabels"]
        jobs.add(first["replacement"].replace("$1", found[source]))
    assert jobs == {job for rule in rules for job in re.findall(r'job="([^"]*)"', rule["expr"])}


def test_the_alerts_fire_when_they_should(spec: dict[str, Any], tmp_path: Path) -> None:
    """Promtool evaluates the rules over series that must and must not cause each alert."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    cases = yaml.safe_load(CASES.read_text())
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], **cases}))
    command = [promtool, "test", "rules", "cases.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alerts: list[dict[str, Any]]) -> None:
    found: dict[str, set[bool]] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for expected in case["alert_rule_test"]:
            found.setdefault(expected["alertname"], set()).add(bool(expected["exp_alerts"]))
    assert found == {rule["alert"]: {True, False} for rule in alerts}


def test_the_dashboard_asks_for_series_of_ours(helm: Helm) -> None:
    config = only(helm.template({"metrics": {"dashboard": {"enabled": True}}}), "ConfigMap", ending="-dashboard")
    text = config["data"]["meetingbots.json"]
    assert json.loads(text) == json.loads((CHART / "files" / "dashboard.json").read_text())
    dashboard = json.loads(text)
    known = labels_by_name()
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 20
    for query in queries:
        series = SERIES.findall(query)
        assert len(series) == len(re.findall(r"meetingbots_\w+", re.sub(r'"[^"]*"', "", query))) > 0
        for name, selector in series:
            assert set(re.findall(r"(\w+)=~?\"", selector)) - ADDED <= known[name], query
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)

"""The alerts ask for series that there are: names and labels of our metrics, and the jobs of our Services."""

import re
from typing import Any

import pytest
from meetingbots.runtime.metrics import Metrics

from tests.chart.rendering import Helm, of_kind, only

ON = {"metrics": {"prometheusRule": {"enabled": True}}}
# What Prometheus itself adds: from where a series comes, and what of ours it calls otherwise for that.
ADDED = {"namespace", "job"}
SERIES = re.compile(r"\b(meetingbots_\w+|up)\{([^}]*)\}")


def labels_by_name() -> dict[str, set[str]]:
    """The names under which each metric is scraped, with its labels."""
    collectors = [one for one in vars(Metrics()).values() if hasattr(one, "_labelnames")]
    found = {}
    for one in collectors:
        labels = set(one._labelnames)
        for suffix in {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}[one._type]:
            found[f"{one._name}{suffix}"] = labels
    return {**found, "up": set()}


@pytest.fixture
def rules(helm: Helm) -> list[dict[str, Any]]:
    [group] = only(helm.template(ON, release="prod"), "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def test_every_alert_has_a_severity_and_a_sentence(rules: list[dict[str, Any]]) -> None:
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["alert"].startswith("MeetingBots")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")


def test_every_series_is_one_of_ours(rules: list[dict[str, Any]]) -> None:
    known = labels_by_name()
    for rule in rules:
        series = SERIES.findall(rule["expr"])
        assert len(series) == len(re.findall(r"meetingbots_\w+|\bup\b", re.sub(r'"[^"]*"', "", rule["expr"])))
        for name, selector in series:
            used = set(re.findall(r"(\w+)=~?\"", selector))
            assert name in known, rule["alert"]
            assert used - ADDED <= known[name], rule["alert"]
            assert used >= ADDED, rule["alert"]


def test_the_jobs_are_the_services_that_are_scraped(helm: Helm, rules: list[dict[str, Any]]) -> None:
    """A ServiceMonitor's series have the Service's name as their job."""
    services = {one["metadata"]["name"] for one in of_kind(helm.template(release="prod"), "Service")}
    jobs = {job for rule in rules for job in re.findall(r'job="([^"]*)"', rule["expr"])}
    assert jobs == {name for name in services if name.endswith("-metrics")}
    assert {ns for rule in rules for ns in re.findall(r'[{ ]namespace="([^"]*)"', rule["expr"])} == {"system"}

"""docs/operators/operations.md describes every metric (type, labels), every result of an event, and every alert."""

import re

import yaml
from meetingbots.receiver.event_writer import Result
from meetingbots.runtime.metrics import Metrics

from tests.unit.pages.yaml_blocks import ROOT

PAGE = (ROOT / "docs" / "operators" / "operations.md").read_text(encoding="utf-8")
RECEIVER = ROOT / "operator" / "meetingbots" / "receiver"


def exported() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Our metrics as Prometheus names them, with type and labels, from what a process serves."""
    collectors = [one for one in vars(Metrics()).values() if hasattr(one, "_labelnames")]
    return {
        f"{one._name}_total" if one._type == "counter" else one._name: (one._type, tuple(one._labelnames))
        for one in collectors
    }


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `meeting")
    ]
    return {row[0].strip("`"): (row[1], tuple(re.findall(r"`(\w+)`", row[2]))) for row in rows}


def test_every_metric_is_documented_as_it_is() -> None:
    registry = {family.name for family in Metrics().registry.collect()}
    assert len(exported()) == len(registry)
    assert documented() == exported()


def test_every_result_of_an_event_is_documented() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in RECEIVER.glob("*.py"))
    refused = set(re.findall(r'Refusal\(\d+, "(\w+)"', text))
    others = set(re.findall(r'result(?:: str)? = "(\w+)"', text))
    assert len(refused) > 5
    assert others
    paragraph = PAGE.partition("`result` of an event")[2].partition("## ")[0]
    assert sorted(re.findall(r"`(\w+)`", paragraph)) == sorted(refused | others | {one.value for one in Result})


def test_every_alert_has_an_advice() -> None:
    template = (ROOT / "charts" / "meetingbots" / "templates" / "prometheusrule.yaml").read_text(encoding="utf-8")
    alerts = re.findall(r"\bMeetingBots[A-Z]\w+", template)
    page = (ROOT / "docs" / "operators" / "alerts.md").read_text(encoding="utf-8")
    assert alerts
    assert sorted(re.findall(r"^## (MeetingBots\w+)", page, re.MULTILINE)) == sorted(set(alerts))


def test_the_memory_that_it_names_is_the_charts() -> None:
    values = yaml.safe_load((ROOT / "charts" / "meetingbots" / "values.yaml").read_text(encoding="utf-8"))
    assert values["operator"]["resources"]["limits"] == {"memory": "512Mi"}, (
        "docs/operators/operations.md says for how many that does"
    )

"""The checks of `doctor` that concern the cluster."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from meetingbots.models.crds import crds
from meetingbots.plugin.answer import Colour
from meetingbots.plugin.cluster_checks import clock_check, crd_check, pod_security_check, quota_checks

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "colour"), [(0, Colour.GREEN), (-20, Colour.GREEN), (45, Colour.YELLOW), (-600, Colour.YELLOW)]
)
def test_clocks_that_differ_are_reported(seconds: int, colour: Colour) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert clock_check("the API server", date, now=NOW).colour is colour


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_server_without_a_date_is_reported(date: str) -> None:
    assert clock_check("Zoom", date, now=NOW).colour is Colour.YELLOW


@pytest.mark.parametrize("crd", crds(), ids=lambda crd: crd["metadata"]["name"])
def test_the_release_of_a_crd_is_judged_by_its_fields(crd: dict[str, Any]) -> None:
    assert crd_check(copy.deepcopy(crd), crd).colour is Colour.GREEN
    older = copy.deepcopy(crd)
    fields = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    gone = min(fields)
    del fields[gone]
    check = crd_check(older, crd)
    assert (check.colour, gone in check.text) == (Colour.RED, True)
    assert crd_check(crd, older).colour is Colour.YELLOW
    assert crd_check(None, crd).colour is Colour.RED
    assert crd_check(None, crd, readable=False).colour is Colour.YELLOW


@pytest.mark.parametrize(
    ("what", "hard", "used", "colours"),
    [
        ("pods", "10", "10", [Colour.RED]),
        ("pods", "1k", "950", [Colour.YELLOW]),
        ("count/secrets", "10", "3", [Colour.GREEN]),
        ("limits.cpu", "10", "10", []),
        ("pods", "many", "1", []),
    ],
)
def test_a_quota_without_room_is_reported(what: str, hard: str, used: str, colours: list[Colour]) -> None:
    quota = {"metadata": {"name": "q"}, "status": {"hard": {what: hard}, "used": {what: used}}}
    assert [check.colour for check in quota_checks(quota)] == colours


def test_the_pod_security_standard_is_named() -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    assert "restricted" in pod_security_check({"metadata": {"name": "acme", "labels": labels}}).text
    assert "privileged" in pod_security_check({"metadata": {"name": "acme"}}).text

"""The rights of operator and receiver, written down a second time: a right that the chart gains is added here too."""

from typing import Any

import pytest

from tests.stack.rights import Process, read_rules

Right = tuple[str, str, str, str]

OPERATOR = """
served  meetingbots.dev  zoomcredentials         get list watch
served  meetingbots.dev  zoomcredentials/status  patch
served  meetingbots.dev  meetingbots             get list watch delete
served  meetingbots.dev  meetingbots/status      patch
served  meetingbots.dev  meetingmappings         get list watch create patch delete
served  core             secrets                 get create patch delete
served  core             pods                    get list watch create patch delete
served  events.k8s.io    events                  create
cluster authentication.k8s.io tokenreviews       create
system  core             secrets                 create
system  core             secrets=meetingbots-receiver                get patch
system  coordination.k8s.io leases               create
system  coordination.k8s.io leases=meetingbots-operator              get patch
"""
RECEIVER = """
served  meetingbots.dev  zoomcredentials         list watch
served  meetingbots.dev  zoomcredentials/status  patch
served  meetingbots.dev  meetingmappings         get create patch
served  core             secrets                 create
system  core             secrets=meetingbots-receiver                get list watch
"""


def written(table: str) -> set[Right]:
    """Scope, group, resource (with `=NAME` where a name limits it) and verb of each right of the table."""
    lines = [line.split() for line in table.strip().splitlines()]
    return {(scope, group, resource, verb) for scope, group, resource, *verbs in lines for verb in verbs}


def in_chart(rules: dict[str, list[dict[str, Any]]]) -> set[Right]:
    """The same of the chart's rules."""
    found = set()
    for scope, granted in rules.items():
        for rule in granted:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames", [""]):
                        full = f"{resource}={name}" if name else resource
                        found |= {(scope, group or "core", full, verb) for verb in rule["verbs"]}
    return found


@pytest.mark.parametrize(("process", "table"), [("operator", OPERATOR), ("receiver", RECEIVER)])
def test_a_process_has_exactly_the_rights_that_it_is_to_have(process: Process, table: str) -> None:
    assert in_chart(read_rules(process)) == written(table)

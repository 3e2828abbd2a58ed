"""`make audit` tells an audit without a finding from no audit."""

import json

import pytest

from tests.checks.audit import Audit, judge, read

FOUND = json.dumps(
    {
        "dependencies": [
            {"name": "good", "version": "1", "vulns": []},
            {
                "name": "bad",
                "version": "2",
                "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"], "description": "long"}],
            },
            {"name": "private", "skip_reason": "Dependency not found"},
        ],
        "fixes": [],
    }
)
CONTROL = Audit(vulnerabilities=("jinja2 2.10: PYSEC-2019-217",))


def test_findings_and_packages_without_an_answer_are_read() -> None:
    audit = read(FOUND, errors="WARNING: something")
    assert audit == Audit(vulnerabilities=("bad 2: PYSEC-1, CVE-1; fixed in 2.1",), unknown=("private",))


@pytest.mark.parametrize("output", ["", "{}", "[]", "Traceback"])
def test_no_report_is_a_failure(output: str) -> None:
    assert read(output, errors="Traceback\nConnectionError: no route").failure == "ConnectionError: no route"
    assert read(output, errors="").failure == "no output"


@pytest.mark.parametrize(
    ("lock", "control", "code", "said"),
    [
        (Audit(), CONTROL, 0, "no known vulnerability in the.lock"),
        (Audit(vulnerabilities=("bad 2: PYSEC-1",)), CONTROL, 1, "the.lock: bad 2: PYSEC-1"),
        # A mirror with an empty database.
        (Audit(), Audit(), 3, "NOT AUDITED: the package index here has no database"),
        (Audit(), Audit(unknown=("jinja2",)), 3, "NOT AUDITED: the package index here has no database"),
        (Audit(failure="ConnectionError"), CONTROL, 3, "NOT AUDITED: the database does not answer: ConnectionError"),
        (Audit(), Audit(failure="ConnectionError"), 3, "NOT AUDITED: the database does not answer: ConnectionError"),
        (Audit(unknown=("private",)), CONTROL, 3, "the.lock: NOT AUDITED: private"),
        # A finding is a finding, whatever else is unknown.
        (Audit(vulnerabilities=("bad 2: PYSEC-1",), unknown=("private",)), CONTROL, 1, "NOT AUDITED: private"),
        (Audit(vulnerabilities=("bad 2: PYSEC-1",)), Audit(), 1, "NOT AUDITED: the package index"),
    ],
)
def test_the_exit_code_says_whether_it_was_audited(lock: Audit, control: Audit, code: int, said: str) -> None:
    found, lines = judge({"the.lock": lock}, control=control)
    assert found == code
    assert said in "\n".join(lines)

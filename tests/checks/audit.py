"""Looks for known vulnerabilities in the locks with pip-audit (`make audit`).

pip-audit asks the Python package index, which has a database. Where the index has none, or a mirror has an empty one,
pip-audit finds nothing and says so; therefore a version with a known vulnerability is audited too.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements-runtime.lock", "requirements.lock")
# CVE-2019-10906.
CONTROL = "jinja2==2.10"
PIP_AUDIT = (str(ROOT / ".venv" / "bin" / "uv"), "tool", "run", "--from", "pip-audit==2.10.1", "pip-audit")
OPTIONS = ("--format", "json", "--disable-pip", "--progress-spinner", "off")
VULNERABLE, NOT_AUDITED = 1, 3


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What pip-audit says of one file: vulnerabilities as sentences, packages without an answer, its own failure."""

    vulnerabilities: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    failure: str = ""


def read(output: str, *, errors: str) -> Audit:
    """Read pip-audit's JSON; without JSON it failed, and `errors` has the reason in its last line."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(failure=(errors.strip().splitlines() or ["no output"])[-1])
    found = [
        f"{package['name']} {package['version']}: {', '.join([one['id'], *one.get('aliases', ())])};"
        f" fixed in {', '.join(one.get('fix_versions', ())) or 'no version'}"
        for package in packages
        for one in package.get("vulns", ())
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    return Audit(vulnerabilities=tuple(found), unknown=tuple(unknown))


def judge(audits: Mapping[str, Audit], *, control: Audit) -> tuple[int, list[str]]:
    """Exit code and lines for a person: 0 all audited, 1 vulnerable, 3 not or not wholly audited."""
    code, lines = 0, []
    for name, audit in audits.items():
        for sentence in audit.vulnerabilities:
            code = VULNERABLE
            lines.append(f"{name}: {sentence}")
    if failure := next((audit.failure for audit in (control, *audits.values()) if audit.failure), ""):
        return code or NOT_AUDITED, [*lines, f"NOT AUDITED: the database does not answer: {failure}"]
    if not control.vulnerabilities:
        reason = f"the package index here has no database of vulnerabilities: it knows none of {CONTROL}"
        return code or NOT_AUDITED, [*lines, f"NOT AUDITED: {reason}"]
    for name, audit in audits.items():
        if audit.unknown:
            code = code or NOT_AUDITED
            lines.append(f"{name}: NOT AUDITED: {', '.join(audit.unknown)}")
    return code, lines or ["no known vulnerability in " + ", ".join(audits)]


def main() -> int:
    """Audit the locks and print the result."""
    with TemporaryDirectory() as temporary:
        control = Path(temporary) / "control.txt"
        control.write_text(CONTROL + "\n")
        audits = {name: _audit(ROOT / name, "--require-hashes") for name in LOCKS}
        code, lines = judge(audits, control=_audit(control, "--no-deps"))
    print("\n".join(f"audit: {line}" for line in lines), file=sys.stderr if code else sys.stdout)
    return code


def _audit(file: Path, *options: str) -> Audit:
    command = [*PIP_AUDIT, *OPTIONS, *options, "-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read(done.stdout, errors=done.stderr)


if __name__ == "__main__":
    sys.exit(main())

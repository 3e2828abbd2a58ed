"""The newest entry of CHANGELOG.md, as notes of a release and as Artifact Hub's annotation of changes."""

import re
from dataclasses import dataclass

import yaml

# Sections of Keep a Changelog and kinds of Artifact Hub.
KINDS = {
    "Added": "added",
    "Changed": "changed",
    "Deprecated": "deprecated",
    "Removed": "removed",
    "Fixed": "fixed",
    "Security": "security",
}


@dataclass(frozen=True, kw_only=True)
class ChangelogEntry:
    """One version: its name, its text, and its changes as (section, sentence)."""

    version: str
    text: str
    changes: tuple[tuple[str, str], ...]


def newest_entry(changelog: str) -> ChangelogEntry:
    """Read the first entry. ValueError if there is none, or if it has an unknown section."""
    found = re.search(
        r"^## \[(?P<version>[^\]]+)\][^\n]*\n(?P<text>.*?)(?=^## \[|\Z)", changelog, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise ValueError("CHANGELOG.md has no entry")
    changes, section = [], ""
    for block in re.split(r"^(?=### |- )", found["text"], flags=re.MULTILINE):
        line = " ".join(block.split())
        if line.startswith("### "):
            section = line.removeprefix("### ")
            if section not in KINDS:
                raise ValueError(f"CHANGELOG.md: unknown section {section}")
        elif line.startswith("- "):
            changes.append((section, line.removeprefix("- ")))
    return ChangelogEntry(version=found["version"], text=found["text"].strip(), changes=tuple(changes))


def artifact_hub_changes(entry: ChangelogEntry) -> str:
    """Format the changes for the annotation artifacthub.io/changes."""
    listed = [{"kind": KINDS[section], "description": text.replace("`", "")} for section, text in entry.changes]
    return yaml.safe_dump(listed, sort_keys=False, allow_unicode=True, width=1000)

"""Checksums of a release's files (SHA256SUMS, as `sha256sum -c` reads it) and its provenance (SLSA v1)."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.release.commit import ReleaseCommit

# An identifier, as SLSA wants it; nothing is at this address.
BUILD_TYPE = "https://meetingbots.dev/build-types/make-release/v1"
CHUNK = 1 << 20


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def checksums(files: Iterable[Path]) -> str:
    """Format the lines of SHA256SUMS, sorted by name."""
    return "".join(f"{sha256(file)}  {file.name}\n" for file in sorted(files))


def statement(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Make an in-toto statement with a SLSA provenance about `subjects`: name to SHA-256."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subjects.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": dict(predicate),
    }


def provenance(
    commit: ReleaseCommit,
    *,
    source: str,
    builder: str,
    registry: str,
    architectures: Iterable[str],
    locks: Iterable[Path],
    bases: Mapping[str, str],
) -> dict[str, Any]:
    """Make the predicate: from which commit of `source` the release was built, by whom, with which locks and bases.

    `bases` has the base image of each architecture, as NAME@sha256:….

    It has no time of the build and is the same for each build of a commit.
    """
    inputs = [{"uri": f"file:{lock.name}", "digest": {"sha256": sha256(lock)}} for lock in sorted(locks)]
    for architecture, base in sorted(bases.items()):
        name, _, digest = base.partition("@sha256:")
        inputs.append({"uri": f"oci:{name}?arch={architecture}", "digest": {"sha256": digest}})
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "version": commit.version,
                "registry": registry,
                "architectures": sorted(architectures),
            },
            "resolvedDependencies": [
                {"uri": f"git+{source}", "digest": {"gitCommit": commit.revision}},
                *inputs,
            ],
        },
        "runDetails": {"builder": {"id": builder}},
    }

"""Software bills of materials in SPDX 2.3 (JSON): of an image's packages, and of the Python package's dependencies."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from tests.kind.engine import Engine
from tests.release.commit import ReleaseCommit

# An identifier, as SPDX wants it; nothing is at this address.
NAMESPACE = "https://meetingbots.dev/spdx"
IN_IMAGE = r"""
import importlib.metadata, json, subprocess
query = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
shown = subprocess.run(query, capture_output=True, text=True)
debian = [line.split("\t") for line in shown.stdout.splitlines()]
python = sorted({(d.metadata["Name"], d.version, d.metadata.get("License-Expression") or "")
                 for d in importlib.metadata.distributions()})
print(json.dumps({"debian": debian, "python": python}))
"""


@dataclass(frozen=True, kw_only=True, order=True)
class Component:
    """A package; `qualifier` is Debian's architecture, `licence` an SPDX expression where the package has one."""

    kind: Literal["deb", "pypi"]
    name: str
    version: str
    qualifier: str = ""
    licence: str = ""

    @property
    def purl(self) -> str:
        """Package URL."""
        if self.kind == "deb":
            return f"pkg:deb/debian/{quote(self.name)}@{quote(self.version)}?arch={self.qualifier}"
        return f"pkg:pypi/{re.sub('[-_.]+', '-', self.name).lower()}@{quote(self.version)}"

    @property
    def spdx_id(self) -> str:
        """Identifier inside of the document."""
        return "SPDXRef-" + re.sub("[^a-zA-Z0-9.]+", "-", f"{self.kind}-{self.name}-{self.version}")


def components_of_image(tag: str, *, engine: Engine) -> list[Component]:
    """List Debian's and Python's packages in an image."""
    command = ("run", "--rm", "--network", "none", "--entrypoint", "python3", tag, "-c", IN_IMAGE)
    found = json.loads(engine.run(*command, label=f"listing the packages of {tag}"))
    debian = [
        Component(kind="deb", name=name, version=version, qualifier=arch) for name, version, arch in found["debian"]
    ]
    python = [
        Component(kind="pypi", name=name, version=version, licence=text) for name, version, text in found["python"]
    ]
    return sorted({*debian, *python})


def components_of_lock(lock: str) -> list[Component]:
    """List the packages that a lock of pip pins."""
    pins = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", lock, re.MULTILINE)
    return sorted({Component(kind="pypi", name=name, version=version) for name, version in pins})


def spdx(
    name: str, components: Iterable[Component], *, commit: ReleaseCommit, digest: str = "", purl: str = ""
) -> dict[str, Any]:
    """Make the document of a product `name`; `digest` is its hexadecimal SHA-256."""
    described: dict[str, Any] = {
        **_package("SPDXRef-product", name, commit.version, purl=purl, licence="Apache-2.0"),
        "primaryPackagePurpose": "CONTAINER" if purl.startswith("pkg:oci/") else "APPLICATION",
    }
    if digest:
        described["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}]
    contained = sorted(set(components))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{commit.version}",
        "documentNamespace": f"{NAMESPACE}/{name}-{commit.version}-{commit.revision}",
        "creationInfo": {"created": commit.time, "creators": ["Organization: MeetingBots", "Tool: make release"]},
        "packages": [
            described,
            *(
                _package(each.spdx_id, each.name, each.version, purl=each.purl, licence=each.licence)
                for each in contained
            ),
        ],
        "relationships": [
            _relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-product"),
            *(_relationship("SPDXRef-product", "DEPENDS_ON", each.spdx_id) for each in contained),
        ],
    }


def _package(spdx_id: str, name: str, version: str, *, purl: str, licence: str) -> dict[str, Any]:
    return {
        "SPDXID": spdx_id,
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence or "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl},
        ]
        if purl
        else [],
    }


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

"""A release: its commit, and the addresses that its files name."""

import re
from dataclasses import dataclass

from tests.cluster.programs import ToolError
from tests.release.changelog import newest_entry
from tests.release.commit import ReleaseCommit

EXAMPLE_REGISTRY = "registry.example"
EXAMPLE_SOURCE = "https://source.example/meetingbots"
ARCHITECTURES = ("amd64", "arm64")
# HOST[:PORT][/PATH]; a registry refuses capital letters in a path.
REGISTRY = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


@dataclass(frozen=True, kw_only=True)
class Release:
    """What to release. `registry` is such as ghcr.io/OWNER, `source` the URL of the repository.

    `left_out` are wanted architectures that this machine cannot build.
    """

    commit: ReleaseCommit
    registry: str
    architectures: tuple[str, ...]
    source: str
    builder: str
    download_url: str
    left_out: tuple[str, ...] = ()

    def obstacles(self, changelog: str) -> list[str]:
        """List reasons not to publish it: `make release` prints them, `make release-publish` refuses."""
        found = []
        if not self.commit.clean:
            found.append("The checkout differs from its commit, or has files that git does not know.")
        if self.registry == EXAMPLE_REGISTRY:
            found.append("The chart names no real registry: set REGISTRY=HOST/OWNER.")
        if self.left_out:
            found.append(f"There is no image for {', '.join(self.left_out)}.")
        addresses = {
            "RELEASE_SOURCE": self.source,
            "RELEASE_BUILDER": self.builder,
            "RELEASE_DOWNLOAD_URL": self.download_url,
        }
        if unset := [name for name, address in addresses.items() if address.startswith(EXAMPLE_SOURCE)]:
            found.append(f"The files name no real source: set {', '.join(unset)}.")
        if (newest := newest_entry(changelog).version) != self.commit.version:
            found.append(f"The newest entry of CHANGELOG.md is {newest}, not {self.commit.version}.")
        return found


def registry_of(given: str) -> str:
    """Check the address of a registry. ToolError if images cannot have it in their names."""
    if not REGISTRY.fullmatch(given):
        raise ToolError(
            f"REGISTRY is {given!r}; it is HOST/OWNER in lower case, without https:// and without a slash at its end"
        )
    return given


def architectures_of(given: str) -> tuple[str, ...]:
    """Read a list with commas, in the order of `ARCHITECTURES`. ToolError for an unknown one, or for none."""
    wanted = {each.strip() for each in given.split(",")}
    if not wanted <= set(ARCHITECTURES):
        raise ToolError(f"ARCHITECTURES is {given!r}; known are {', '.join(ARCHITECTURES)}")
    return tuple(each for each in ARCHITECTURES if each in wanted)

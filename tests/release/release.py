"""A release: its commit, and the addresses that its files name."""

from dataclasses import dataclass

from tests.release.changelog import newest_entry
from tests.release.commit import ReleaseCommit

EXAMPLE_REGISTRY = "registry.example"
EXAMPLE_SOURCE = "https://source.example/meetingbots"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What to release. `registry` is such as ghcr.io/OWNER, `source` the URL of the repository."""

    commit: ReleaseCommit
    registry: str
    architectures: tuple[str, ...]
    source: str
    builder: str
    download_url: str

    def obstacles(self, changelog: str) -> list[str]:
        """List reasons not to publish it: `make release` prints them, `make release-publish` refuses."""
        found = []
        if not self.commit.clean:
            found.append("The checkout differs from its commit, or has files that git does not know.")
        if self.registry == EXAMPLE_REGISTRY:
            found.append("The chart names no real registry: set REGISTRY=HOST/OWNER.")
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

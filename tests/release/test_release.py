"""A release pulled from a registry is what was built, is signed, and comes out the same when it is built again."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.chart.rendering import ROOT
from tests.cluster.programs import this_machine
from tests.kind.provider import choose_engine
from tests.release.chart import build_chart
from tests.release.conftest import REGISTRY, Published
from tests.release.images import NAMES, build_released_images
from tests.release.release import Release

pytestmark = pytest.mark.timeout(3600)
OFFLINE = ("--insecure-ignore-tlog=true", "--allow-insecure-registry", "--allow-http-registry")


def verify(published: Published, verb: str, reference: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(published.cosign), verb, "--key", str(published.public_key), *OFFLINE, *options, reference]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_images_are_pulled_by_the_digest_that_the_chart_names(published: Published) -> None:
    for name in NAMES:
        command = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}"]
        reference = f"docker://{REGISTRY}/{name}:{published.publisher.version}"
        found = subprocess.run([*command, reference], capture_output=True, text=True, check=True).stdout.strip()
        assert found == published.publisher.images[name]


@pytest.mark.parametrize("name", NAMES)
def test_images_have_a_signature_a_provenance_and_an_sbom(published: Published, name: str) -> None:
    reference = f"{REGISTRY}/{name}@{published.publisher.images[name]}"
    done = verify(published, "verify", reference)
    assert done.returncode == 0, done.stderr
    for kind in ("slsaprovenance1", "spdxjson"):
        done = verify(published, "verify-attestation", reference, "--type", kind)
        assert done.returncode == 0, done.stderr
        statement = json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))
        assert statement["subject"][0]["digest"]["sha256"] == published.publisher.images[name].partition(":")[2]


def test_another_key_is_refused(published: Published, tmp_path: Path) -> None:
    environ = dict(published.publisher.environ)
    subprocess.run([published.cosign, "generate-key-pair"], cwd=tmp_path, env=environ, check=True, capture_output=True)
    reference = f"{REGISTRY}/meetingbots@{published.publisher.images['meetingbots']}"
    command = [str(published.cosign), "verify", "--key", str(tmp_path / "cosign.pub"), *OFFLINE, reference]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_chart_from_the_registry_is_the_one_that_was_built(published: Published, tmp_path: Path) -> None:
    version = published.publisher.version
    chart = f"oci://{REGISTRY}/charts/meetingbots"
    published.helm.run("pull", chart, "--version", version, "--plain-http", "-d", str(tmp_path))
    name = f"meetingbots-{version}.tgz"
    assert (tmp_path / name).read_bytes() == (published.dist / name).read_bytes()
    rendered = published.helm.template(chart=tmp_path / name)
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"] for one in rendered if one["kind"] == "Deployment"
    }
    assert images == {f"{REGISTRY}/meetingbots@{published.publisher.images['meetingbots']}"}


def test_the_checksums_are_signed(published: Published, tmp_path: Path) -> None:
    sums = published.dist / "SHA256SUMS"
    command = [str(published.cosign), "verify-blob", "--key", str(published.public_key), "--insecure-ignore-tlog=true"]
    command += ["--signature", f"{sums}.sig"]
    assert subprocess.run([*command, str(sums)], capture_output=True, check=False).returncode == 0
    changed = tmp_path / "changed"
    changed.write_text(sums.read_text() + "\n")
    assert subprocess.run([*command, str(changed)], capture_output=True, check=False).returncode != 0


def test_a_second_build_has_the_same_digests(published: Published, release: Release, tmp_path: Path) -> None:
    commit = release.commit
    built_from = json.loads((published.dist / "provenance-predicate.json").read_text())
    revision = built_from["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    if revision != commit.revision or not commit.clean:
        pytest.skip("the release is of another commit, or files differ from it")
    engine = choose_engine(environ={**published.publisher.environ, "KIND_EXPERIMENTAL_PROVIDER": "podman"})
    images = build_released_images(commit, engine=engine, architectures=release.architectures, into=tmp_path)
    assert {image.name: image.digest for image in images} == dict(published.publisher.images)
    chart = build_chart(
        release,
        helm=published.helm,
        image_digest=published.publisher.images["meetingbots"],
        changelog=(ROOT / "CHANGELOG.md").read_text(),
        into=tmp_path,
    )
    assert chart.read_bytes() == (published.dist / chart.name).read_bytes()


def test_the_plugin_of_the_archive_runs(published: Published, tmp_path: Path) -> None:
    archive = next(published.dist.glob(f"kubectl-meetingbots-*-linux-{this_machine().arch}.tar.gz"))
    subprocess.run(["tar", "xzf", archive, "-C", tmp_path], check=True)
    done = subprocess.run(
        [tmp_path / "kubectl-meetingbots", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert published.publisher.version in done.stdout

from tests.kind.project_images import ROOT
from tests.release.commit import ReleaseCommit
from tests.release.sbom import Component, components_of_lock, spdx

COMMIT = ReleaseCommit(version="1.2.3", revision="abc", epoch=0)


def test_every_pin_of_the_lock_is_a_component() -> None:
    lock = (ROOT / "requirements-runtime.lock").read_text()
    names = {each.name for each in components_of_lock(lock)}
    assert {"aiohttp", "kopf", "pydantic", "pyyaml"} <= {name.lower() for name in names}
    assert len(names) == len([line for line in lock.splitlines() if "==" in line and not line.startswith(" ")])


def test_markers_and_hashes_are_not_part_of_a_version() -> None:
    (one,) = components_of_lock("tzdata==2026.1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n")
    assert (one.name, one.version, one.purl) == ("tzdata", "2026.1", "pkg:pypi/tzdata@2026.1")


def test_the_document_names_each_package_once_and_refers_to_it() -> None:
    parts = [
        Component(kind="pypi", name="A.b_c", version="1+x"),
        Component(kind="deb", name="libc6", version="2:2.36+deb12u1", qualifier="amd64"),
    ]
    document = spdx("meetingbots", [*parts, *parts], commit=COMMIT, digest="sha256:00ff", purl="pkg:oci/meetingbots@x")
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(ids) == len(set(ids)) == 3
    locators = {ref["referenceLocator"] for package in document["packages"] for ref in package["externalRefs"]}
    assert locators == {
        "pkg:oci/meetingbots@x",
        "pkg:pypi/a-b-c@1%2Bx",
        "pkg:deb/debian/libc6@2%3A2.36%2Bdeb12u1?arch=amd64",
    }
    assert {link["relatedSpdxElement"] for link in document["relationships"]} == set(ids)
    assert document["packages"][0]["checksums"] == [{"algorithm": "SHA256", "checksumValue": "00ff"}]
    assert document["creationInfo"]["created"] == "1970-01-01T00:00:00Z"

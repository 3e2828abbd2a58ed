from __future__ import annotations

from typing import Any

from meetingbots.mappings.manifests.mapping import compact, credential_label, is_compactable, mapping_patch, new_mapping
from meetingbots.models.mapping import EventTimes, FoundCredential, MappingPhase, MappingStatus, Role, Source

MEETING = "81234567890"
UIDS = {"alice": "uid-alice", "bob": "uid-bob"}


def found(*names: str) -> list[FoundCredential]:
    return [FoundCredential(name=name, role=Role.HOST, source=Source.SYNC) for name in names]


def status(*names: str, **fields: Any) -> MappingStatus:
    return MappingStatus(
        credentials=found(*names),
        phase=fields.pop("phase", MappingPhase.SCHEDULED),
        event_times=EventTimes(roles=5),
        **fields,
    )


def made(*names: str, live: bool = False) -> dict[str, Any]:
    return new_mapping(namespace="team", meeting_id=MEETING, status=status(*names), uids=UIDS, live=live)


def owner(name: str, uid: str) -> dict[str, str]:
    return {"apiVersion": "meetingbots.dev/v1alpha1", "kind": "ZoomCredential", "name": name, "uid": uid}


def test_a_new_mapping_is_named_after_its_meeting_and_goes_with_its_credentials() -> None:
    item = made("alice", "bob", live=True)
    assert item["metadata"] == {
        "name": MEETING,
        "namespace": "team",
        "labels": {
            "credential.meetingbots.dev/alice": "",
            "credential.meetingbots.dev/bob": "",
            "meetingbots.dev/live": "true",
        },
        "ownerReferences": [owner("alice", "uid-alice"), owner("bob", "uid-bob")],
    }
    assert item["spec"] == {"meetingId": MEETING}
    assert item["status"] == {
        "credentials": [
            {"name": "alice", "role": "Host", "source": "Sync"},
            {"name": "bob", "role": "Host", "source": "Sync"},
        ],
        "phase": "Scheduled",
        "eventTimes": {"roles": 5},
    }


def test_an_equal_mapping_needs_no_patch() -> None:
    assert mapping_patch(made("alice"), status=status("alice"), uids=UIDS, live=False) == {}


def test_a_patch_touches_only_what_is_ours() -> None:
    item = made("alice")
    item["spec"]["credentials"] = [{"name": "dora"}]
    item["metadata"]["labels"]["team"] = "sales"
    item["metadata"]["annotations"] = {"note": "keep"}
    patch = mapping_patch(item, status=status("bob", phase=MappingPhase.LIVE, uuid="a"), uids=UIDS, live=True)
    assert patch == {
        "metadata": {
            "labels": {
                "credential.meetingbots.dev/alice": None,
                "credential.meetingbots.dev/bob": "",
                "meetingbots.dev/live": "true",
            },
            "ownerReferences": [],
        },
        "status": {
            "credentials": [{"name": "bob", "role": "Host", "source": "Sync"}],
            "phase": "Live",
            "uuid": "a",
        },
    }


def test_a_patch_never_removes_the_live_label() -> None:
    patch = mapping_patch(
        made("alice", live=True), status=status("alice", phase=MappingPhase.ENDED), uids={}, live=False
    )
    assert patch == {"status": {"phase": "Ended"}}


def test_a_removed_field_is_null_in_the_patch() -> None:
    item = made("alice")
    item["status"] |= {"endTime": "2026-11-24T12:00:00Z", "ofANewerVersion": 1}
    patch = mapping_patch(item, status=status("alice"), uids=UIDS, live=False)
    assert patch == {"status": {"endTime": None}}


def test_owners_known_from_before_stay_and_others_owners_too() -> None:
    item = made("alice")
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "y"}
    item["metadata"]["ownerReferences"].append(foreign)
    patch = mapping_patch(item, status=status("alice", "bob"), uids={"bob": "uid-bob"}, live=False)
    assert patch["metadata"]["ownerReferences"] == [foreign, owner("alice", "uid-alice"), owner("bob", "uid-bob")]


def test_a_recreated_credential_becomes_the_owner() -> None:
    patch = mapping_patch(made("alice"), status=status("alice"), uids={"alice": "uid-new"}, live=False)
    assert patch == {"metadata": {"ownerReferences": [owner("alice", "uid-new")]}}


def test_with_nobody_left_label_and_owner_stay_so_that_it_is_found() -> None:
    assert mapping_patch(made("alice"), status=status(), uids={}, live=False) == {"status": {"credentials": None}}


def test_labels_fit_whatever_the_name() -> None:
    long = "a" * 200 + "-one", "a" * 200 + "-two"
    labels = {credential_label(name) for name in (*long, "alice", "b" * 63)}
    assert len(labels) == 4
    assert all(len(label.partition("/")[2]) <= 63 for label in labels)
    assert "credential.meetingbots.dev/alice" in labels


def managed(*managers: str, manual: tuple[str, ...] = ()) -> dict[str, Any]:
    item = made("alice")
    item["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update"} for manager in managers]
    item["spec"]["credentials"] = [{"name": name} for name in manual]
    return item


def test_the_bookkeeping_of_our_own_mappings_is_dropped_with_a_patch() -> None:
    assert is_compactable(managed("meetingbots"))
    patch = compact(managed("meetingbots"), {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Live"}})
    assert patch == {"metadata": {"labels": {"a": "b"}, "managedFields": [{}]}, "status": {"phase": "Live"}}


def test_field_managers_of_others_keep_theirs() -> None:
    for item in (made("alice"), managed(), managed("meetingbots", "flux"), managed("meetingbots", manual=("dora",))):
        assert not is_compactable(item)
        assert compact(item, {"status": {}}) == {"status": {}}

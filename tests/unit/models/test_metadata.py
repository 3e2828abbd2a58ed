from datetime import UTC, datetime

import pytest
from meetingbots.models.mapping import MeetingMapping
from meetingbots.models.metadata import LabelSelector, ObjectMeta, OwnerReference

STORED = {
    "name": "alice",
    "namespace": "acme",
    "uid": "6b6a436f",
    "generation": 3,
    "resourceVersion": "0216",
    "creationTimestamp": "2026-11-24T08:47:31Z",
    "labels": {"customer": "acme"},
    "annotations": {"note": "x"},
    "managedFields": [{"manager": "kubectl"}],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u", "controller": True}],
}


def test_metadata_is_read_as_the_api_server_writes_it() -> None:
    meta = ObjectMeta.model_validate(STORED)

    assert meta == ObjectMeta(
        name="alice",
        namespace="acme",
        uid="6b6a436f",
        generation=3,
        resource_version="0216",
        creation_timestamp=datetime(2026, 11, 24, 8, 47, 31, tzinfo=UTC),
        labels={"customer": "acme"},
        annotations={"note": "x"},
        owner_references=(OwnerReference(api_version="v1", kind="Secret", name="s", uid="u", controller=True),),
    )


def test_written_metadata_holds_only_what_is_set() -> None:
    assert ObjectMeta(name="a", namespace="b").to_dict() == {"name": "a", "namespace": "b"}
    assert ObjectMeta.model_validate(STORED).to_dict() == {
        key: value for key, value in STORED.items() if key != "managedFields"
    }


def test_owner_references() -> None:
    mapping = MeetingMapping.from_object(
        {"metadata": {"name": "123456789", "uid": "u"}, "spec": {"meetingId": "123456789"}}
    )
    plain = {"apiVersion": "meetingbots.dev/v1alpha1", "kind": "MeetingMapping", "name": "123456789", "uid": "u"}

    assert mapping.owner_reference().to_dict() == plain
    assert mapping.owner_reference(controller=True).to_dict() == plain | {
        "controller": True,
        "blockOwnerDeletion": True,
    }


LABELS = {"customer": "acme", "tier": "gold"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"customer": "acme"}}, True),
        ({"matchLabels": {"customer": "acme", "tier": "tin"}}, False),
        ({"matchLabels": {"absent": ""}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["tin", "gold"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["tin"]}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "In", "values": [""]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["gold"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "absent", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"tier": "gold"}, "matchExpressions": [{"key": "absent", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_select_as_in_kubernetes(selector: dict[str, object], selected: bool) -> None:
    assert LabelSelector.model_validate(selector).matches(LABELS) is selected

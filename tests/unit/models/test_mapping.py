import pytest
from meetingbots.models.base import ModelError
from meetingbots.models.mapping import (
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingSpec,
    MappingStatus,
    MeetingMapping,
    Role,
    Source,
)
from meetingbots.models.metadata import ObjectMeta

OBJECT = {
    "apiVersion": "meetingbots.dev/v1alpha1",
    "kind": "MeetingMapping",
    "metadata": {"name": "81234567890", "namespace": "acme", "labels": {"meetingbots.dev/live": "true"}},
    "spec": {"meetingId": "81234567890", "credentials": [{"name": "alice"}]},
    "status": {
        "credentials": [{"name": "bob", "role": "AlternativeHost", "source": "Webhook"}],
        "phase": "Live",
        "uuid": "4444AAAiAAAAAiAiAiiAii==",
        "startTime": "2026-11-24T12:00:00Z",
        "eventTimes": {"existence": 1795521600123, "live": 1795521600456},
        "presence": [{"name": "bob", "present": True, "eventTime": 1795521600789}],
    },
}


def test_what_is_read_is_what_is_written() -> None:
    mapping = MeetingMapping.from_object(OBJECT)

    assert [each.name for each in mapping.spec.credentials] == ["alice"]
    assert mapping.status.credentials == [
        FoundCredential(name="bob", role=Role.ALTERNATIVE_HOST, source=Source.WEBHOOK)
    ]
    assert mapping.status.phase is MappingPhase.LIVE
    assert mapping.status.event_times == EventTimes(existence=1795521600123, live=1795521600456)
    assert mapping.to_dict() == OBJECT


def test_a_new_mapping_as_it_is_sent() -> None:
    mapping = MeetingMapping(
        metadata=ObjectMeta(name="123456789", namespace="acme"),
        spec=MappingSpec(meeting_id="123456789"),
        status=MappingStatus(credentials=[FoundCredential(name="bob", role=Role.HOST, source=Source.PMI)]),
    )

    assert mapping.to_dict() == {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingMapping",
        "metadata": {"name": "123456789", "namespace": "acme"},
        "spec": {"meetingId": "123456789", "credentials": []},
        "status": {
            "credentials": [{"name": "bob", "role": "Host", "source": "PMI"}],
            "eventTimes": {},
            "presence": [],
        },
    }


@pytest.mark.parametrize("meeting_id", ["12345678", "123456789012", "812 345 678", "\uff18" * 11, "81234567890\n"])
def test_meeting_ids_are_9_to_11_digits(meeting_id: str) -> None:
    with pytest.raises(ModelError, match=r"spec\.meetingId"):
        MeetingMapping.from_object({"metadata": {"name": "x"}, "spec": {"meetingId": meeting_id}})


def test_roles_stand_in_the_order_of_trial() -> None:
    assert list(Role) == ["Host", "AlternativeHost", "Operator"]

"""MeetingMapping objects: how one is made, and the smallest patch that brings a known one up to date.

People's part, `spec.credentials`, is never in a patch. What is found out goes into the status; ownerReferences let the
garbage collector take a mapping along with its last credential, unless people wrote entries of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from meetingbots.kube.merge_patch import merge_patch
from meetingbots.models import names
from meetingbots.models.mapping import MappingStatus

Object: TypeAlias = dict[str, Any]

CREDENTIAL_LABEL_PREFIX: Final = f"credential.{names.GROUP}/"
_LONGEST_LABEL_NAME: Final = 63
_HASH_LENGTH: Final = 16
_OUR_FIELDS: Final = frozenset(field.alias or name for name, field in MappingStatus.model_fields.items())


def credential_label(credential: str) -> str:
    """The label key that every mapping with this credential among its found ones has (its value is empty).

    A credential's sync finds its own mappings by it among 100,000 in one list, without reading those of others, and
    people do with `kubectl get mmap -l credential.meetingbots.dev/alice`. Names too long for a label are cut, with a
    hash at their end.
    """
    if len(credential) <= _LONGEST_LABEL_NAME:
        return CREDENTIAL_LABEL_PREFIX + credential
    digest = hashlib.sha256(credential.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{CREDENTIAL_LABEL_PREFIX}{credential[: _LONGEST_LABEL_NAME - _HASH_LENGTH - 1]}-{digest}"


def new_mapping(
    *, namespace: str, meeting_id: str, status: MappingStatus, uids: Mapping[str, str], live: bool
) -> Object:
    """A mapping that does not exist yet. `uids` are those of the credentials, by name."""
    metadata: Object = {
        "name": meeting_id,
        "namespace": namespace,
        "labels": _labels({}, status=status, live=live),
        "ownerReferences": _owners((), status=status, uids=uids, people=False),
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.MAPPING_KIND,
        "metadata": metadata,
        "spec": {"meetingId": meeting_id},
        "status": _written(status),
    }


def mapping_patch(item: Object, *, status: MappingStatus, uids: Mapping[str, str], live: bool) -> Object:
    """The merge patch that gives the mapping `item` this status; empty when it has it already.

    It holds nothing but status, our labels and ownerReferences. `live` puts the label of running meetings on; nothing
    here takes it off.
    """
    before = _part(item)
    people = bool(item.get("spec", {}).get("credentials"))
    after: Object = {
        "metadata": {
            "labels": _labels(before["metadata"]["labels"], status=status, live=live),
            "ownerReferences": _owners(before["metadata"]["ownerReferences"], status=status, uids=uids, people=people),
        },
        # What a newer version may have written besides stays.
        "status": {key: value for key, value in before["status"].items() if key not in _OUR_FIELDS} | _written(status),
    }
    return merge_patch(before, after)


def owners_patch(item: Object, *, status: MappingStatus, uids: Mapping[str, str]) -> Object:
    """The merge patch that mends only the ownerReferences of a mapping whose `status` is as it should be.

    Empty when they are right: those of `uids` are known with these uids, and with people's entries there are none.
    """
    before = _part(item)["metadata"]["ownerReferences"]
    people = bool(item.get("spec", {}).get("credentials"))
    after = _owners(before, status=status, uids=uids, people=people)
    return {} if after == before else {"metadata": {"ownerReferences": after}}


def owner_uids(item: Object) -> dict[str, str]:
    """The uids of the ZoomCredentials that own a mapping, by name."""
    owners = item["metadata"].get("ownerReferences") or ()
    return {one["name"]: one["uid"] for one in owners if _is_credential(one)}


def _written(status: MappingStatus) -> Object:
    return {key: value for key, value in status.to_dict().items() if value not in ([], {})}


def _part(item: Object) -> Object:
    metadata = item["metadata"]
    return {
        "metadata": {
            "labels": metadata.get("labels") or {},
            "ownerReferences": metadata.get("ownerReferences") or [],
        },
        "status": item.get("status") or {},
    }


def _labels(before: Mapping[str, str], *, status: MappingStatus, live: bool) -> dict[str, str]:
    labels = dict(before)
    if status.credentials:
        # With nobody left the last ones' labels stay: a sync of theirs finds what is left, and clears it away.
        labels = {key: value for key, value in labels.items() if not key.startswith(CREDENTIAL_LABEL_PREFIX)}
        labels |= {credential_label(one.name): "" for one in status.credentials}
    if live:
        labels[names.LIVE_LABEL] = names.LIVE
    return labels


def _owners(before: Sequence[Object], *, status: MappingStatus, uids: Mapping[str, str], people: bool) -> list[Object]:
    foreign = [one for one in before if not _is_credential(one)]
    if people:
        return foreign
    if not status.credentials:
        return list(before)
    known = {one["name"]: one["uid"] for one in before if _is_credential(one)} | dict(uids)
    return foreign + [
        {"apiVersion": names.API_VERSION, "kind": names.CREDENTIAL_KIND, "name": one.name, "uid": known[one.name]}
        for one in status.credentials
        if known.get(one.name)
    ]


def _is_credential(owner: Object) -> bool:
    group = str(owner.get("apiVersion", "")).partition("/")[0]
    return group == names.GROUP and owner.get("kind") == names.CREDENTIAL_KIND

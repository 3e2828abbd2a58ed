"""Builds MeetingMapping objects and the smallest patches that bring them up to date.

No patch contains the manual entries in `spec.credentials`. ownerReferences let the garbage collector delete a mapping
with its last credential, unless it has manual entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from meetingbots.kube.client import merge_patch
from meetingbots.models import names
from meetingbots.models.mapping import MappingStatus

Object: TypeAlias = dict[str, Any]

FIELD_MANAGER: Final = "meetingbots"
"""How the API server names our writes: by the client's user agent."""
CREDENTIAL_LABEL_PREFIX: Final = f"credential.{names.GROUP}/"
_LONGEST_LABEL_NAME: Final = 63
_HASH_LENGTH: Final = 16
_OUR_FIELDS: Final = frozenset(field.alias or name for name, field in MappingStatus.model_fields.items())


def credential_label(credential: str) -> str:
    """Return the label key of mappings with this credential in their status; the value is empty.

    One list with the label finds a credential's mappings among 100,000, for the operator as for manual:
    `kubectl get mmap -l credential.meetingbots.dev/alice`. Names too long for a label are cut and end with a hash.
    """
    if len(credential) <= _LONGEST_LABEL_NAME:
        return CREDENTIAL_LABEL_PREFIX + credential
    digest = hashlib.sha256(credential.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{CREDENTIAL_LABEL_PREFIX}{credential[: _LONGEST_LABEL_NAME - _HASH_LENGTH - 1]}-{digest}"


def new_mapping(
    *, namespace: str, meeting_id: str, status: MappingStatus, uids: Mapping[str, str], live: bool
) -> Object:
    """Return a new mapping. `uids` are those of the credentials, by name."""
    metadata: Object = {
        "name": meeting_id,
        "namespace": namespace,
        "labels": _labels({}, status=status, live=live),
        "ownerReferences": _owners((), status=status, uids=uids, manual=False),
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.MAPPING_KIND,
        "metadata": metadata,
        "spec": {"meetingId": meeting_id},
        "status": _written(status),
    }


def mapping_patch(item: Object, *, status: MappingStatus, uids: Mapping[str, str], live: bool) -> Object:
    """Return the merge patch that gives the mapping `item` this status; empty when it has it already.

    It contains only status, our labels and ownerReferences. `live` adds the label of running meetings; no patch here
    removes it.
    """
    before = _part(item)
    manual = bool(item.get("spec", {}).get("credentials"))
    after: Object = {
        "metadata": {
            "labels": _labels(before["metadata"]["labels"], status=status, live=live),
            "ownerReferences": _owners(before["metadata"]["ownerReferences"], status=status, uids=uids, manual=manual),
        },
        # Fields of a newer version stay.
        "status": {key: value for key, value in before["status"].items() if key not in _OUR_FIELDS} | _written(status),
    }
    return merge_patch(before, after)


def owners_patch(item: Object, *, status: MappingStatus, uids: Mapping[str, str]) -> Object:
    """Return the merge patch that repairs only the ownerReferences; empty when they are right.

    Right are the uids of `uids`, and no owners on a mapping with manual entries.
    """
    before = _part(item)["metadata"]["ownerReferences"]
    manual = bool(item.get("spec", {}).get("credentials"))
    after = _owners(before, status=status, uids=uids, manual=manual)
    return {} if after == before else {"metadata": {"ownerReferences": after}}


def is_compactable(item: Object) -> bool:
    """Return whether the API server keeps managedFields of a mapping that only this project writes.

    They cost about 10 KB of its memory for each mapping. Once dropped, merge patches do not bring them back. Where
    people or GitOps tools write, their field managers need them.
    """
    managers = [one.get("manager") for one in item["metadata"].get("managedFields") or ()]
    is_ours = all(manager == FIELD_MANAGER for manager in managers)
    return bool(managers) and is_ours and not item.get("spec", {}).get("credentials")


def compact(item: Object, patch: Object) -> Object:
    """Extend a patch so that it drops the managedFields, where that is allowed."""
    if not is_compactable(item):
        return patch
    return {**patch, "metadata": {**patch.get("metadata", {}), "managedFields": [{}]}}


def owner_uids(item: Object) -> dict[str, str]:
    """Return the uids of the ZoomCredentials that own a mapping, by name."""
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
        # Without credentials the last labels stay, so that a sync of theirs finds and removes the mapping.
        labels = {key: value for key, value in labels.items() if not key.startswith(CREDENTIAL_LABEL_PREFIX)}
        labels |= {credential_label(one.name): "" for one in status.credentials}
    if live:
        labels[names.LIVE_LABEL] = names.LIVE
    return labels


def _owners(before: Sequence[Object], *, status: MappingStatus, uids: Mapping[str, str], manual: bool) -> list[Object]:
    foreign = [one for one in before if not _is_credential(one)]
    if manual:
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

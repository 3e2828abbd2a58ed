"""Tells in a credential's status that webhooks have ceased to come. That they come, the receiver tells.

Written is a patch of exactly the state that was looked at, under no manager's name: so the receiver, which applies the
condition as its own, always has the last word.
"""

from __future__ import annotations

import contextlib

from meetingbots.credentials.decide.webhook_health import silence
from meetingbots.kube.errors import ConflictError, NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key


async def tell_silence(services: OperatorContext, key: Key, *, client_id: str) -> None:
    """Turn WebhookReceiving False if nothing has come for too long. Raises `KubeError`."""
    item = services.caches.credentials.get(key)
    if item is None:
        return
    credential = ZoomCredential.from_object(item)
    public_url = services.settings.public_url
    conditions = silence(credential, client_id=client_id, public_url=public_url, now=services.clock())
    if conditions is None:
        return
    # Others' conditions stay letter for letter as they are.
    known = {one["type"]: one for one in item["status"].get("conditions", ())} if "status" in item else {}
    told = find(conditions, ConditionType.WEBHOOK_RECEIVING)
    assert told is not None  # noqa: S101 - narrows the type
    known[told.type] = told.to_dict()
    with contextlib.suppress(ConflictError, NotFoundError):
        # The next look comes within minutes.
        written = await services.kube.patch(
            CREDENTIALS,
            namespace=key.namespace,
            name=key.name,
            patch={"status": {"conditions": list(known.values())}},
            resource_version=item["metadata"]["resourceVersion"],
            subresource="status",
        )
        services.caches.credentials.put(written)

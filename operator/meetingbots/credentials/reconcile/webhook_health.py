"""Sets the condition WebhookReceiving to False when no webhook arrives. The receiver sets it to True.

The write takes the condition from no field manager, so that the receiver's next apply replaces it.
"""

from __future__ import annotations

import contextlib

from meetingbots.credentials.decide.webhook_health import silence
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key


async def tell_silence(
    services: OperatorContext, key: Key, *, client_id: str, status_writer: CredentialStatusWriter
) -> None:
    """Set WebhookReceiving to False if nothing has arrived for too long. Raises `KubeError`."""
    item = services.caches.credentials.get(key)
    if item is None:
        return
    credential = ZoomCredential.from_object(item)
    public_url = services.settings.public_url
    conditions = silence(credential, client_id=client_id, public_url=public_url, now=services.clock())
    if conditions is None:
        return
    with contextlib.suppress(ConflictError):
        # The next reconciliation comes within minutes.
        await status_writer.replace_conditions(StatusTarget.of(credential, unchanged=True), conditions)

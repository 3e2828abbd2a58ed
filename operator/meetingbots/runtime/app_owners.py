"""The Zoom account that owns an app: `account_id` of the app Secret, cached whenever the Secret is read."""

from __future__ import annotations

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.runtime.object_cache import Key, key_of

_KEY = "account_id"


class AppOwners:
    """Owner accounts by app Secret; empty where the Secret names none."""

    def __init__(self) -> None:
        self._known: dict[Key, str] = {}

    def note(self, secret: Object) -> None:
        """Cache the account of an app Secret that was just read."""
        try:
            self._known[key_of(secret)] = value_of(secret, key=_KEY).get_secret_value()
        except SecretValueError:
            self._known[key_of(secret)] = ""

    def known(self, key: Key) -> str | None:
        """The account; empty if the Secret names none, None if it was not read yet."""
        return self._known.get(key)

    async def of(self, kube: Kube, key: Key) -> str:
        """The account; empty if the Secret names none or is missing. Reads it at most once. Raises `KubeError`."""
        known = self._known.get(key)
        if known is not None:
            return known
        try:
            self.note(await kube.get(SECRETS, namespace=key.namespace, name=key.name))
        except NotFoundError:
            return ""
        return self._known[key]

"""A namespace's webhook that counts the notices of a burst."""

import asyncio
import base64
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.stack.customer_site import CustomerSite

_KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class NoticeSite(CustomerSite):
    """Accepts every notice."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder=folder, key="", token=str)

    @property
    def environment(self) -> dict[str, str]:
        """What allows an operator to call it."""
        return {"MEETINGBOTS_ALLOWED_NOTIFY_URL_HOSTS": "private:localhost", "SSL_CERT_FILE": str(self.certificate)}

    @property
    def secret(self) -> dict[str, Any]:
        """The namespace's Secret."""
        values = {"url": f"{self.base_url}/notify", "secret": _KEY}
        return {"metadata": {"name": "meetingbots-notify"}, "stringData": values}

    @property
    def accepted(self) -> int:
        """How many notices it has accepted."""
        return len(self.notices)

    async def wait_done(self, *, bots: int, seconds: float) -> None:
        """Wait until each bot's last notice is there. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while Counter(json.loads(body)["type"] for _, body in list(self.notices))["bot.done"] < bots:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the last notices of {bots} bots did not arrive in {seconds:.0f} s")
            await asyncio.sleep(1)

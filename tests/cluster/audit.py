"""The API server's audit log: which calls were made by whom, for tests that count them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# Metadata: no bodies, so no secrets. A request is written once, when it is answered; a watch when it begins.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """One call of the API server. `resource` is plural with its subresource (`pods/status`), `code` HTTP's status.

    With `dry_run` nothing was to be stored. `user` is empty where nobody was made out, as while the server starts.
    """

    user: str
    user_agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    dry_run: bool
    time: datetime


def read_calls(log: Path) -> Iterator[ApiCall]:
    """Calls in the order in which they were answered; each watch counts once, at its beginning."""
    if not log.is_file():
        return
    with log.open() as lines:
        for line in lines:
            # The last line may still be being written.
            if not line.endswith("\n"):
                return
            event = json.loads(line)
            if (event["stage"] == "ResponseStarted") == (event["verb"] == "watch"):
                yield _call(event)


def _call(event: dict[str, Any]) -> ApiCall:
    target = event.get("objectRef", {})
    parts = [part for part in (target.get("resource", ""), target.get("subresource", "")) if part]
    return ApiCall(
        user=event["user"].get("username", ""),
        user_agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource="/".join(parts) or event["requestURI"],
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        dry_run="dryRun=" in event["requestURI"],
        time=datetime.fromisoformat(event["requestReceivedTimestamp"]),
    )

"""Unknown tokens at the token endpoint cost the API server few TokenReviews, and the bots' own tokens work beside."""

from __future__ import annotations

import http.client
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.integration.attacks.installation import Installation

ATTACKER, REPEATER, BOT = "127.0.0.66", "127.0.0.67", "127.0.0.1"
UNKNOWN_TOKENS = 300
REVIEWS_PER_ADDRESS = 10
SECONDS_PER_REVIEW = 6.0
AT_ONCE = 8


def ask(port: int, token: str, *, source: str) -> int:
    """The status of a request for a token, sent from one of the loopback's addresses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    try:
        connection.request("POST", "/token", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def reviews(cluster: ControlPlane) -> int:
    return sum(call.resource == "tokenreviews" and call.user.endswith(":operator") for call in cluster.calls())


@pytest.mark.timeout(300)
def test_unknown_tokens_cost_few_token_reviews(installation: Installation) -> None:
    tenant, port = installation.tenant(), installation.stack.token_port
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("notes", meeting.id, image="test/sleep", tokenEndpoint=True)
    tenant.wait_phase("notes", "Running")
    pod = tenant.status("meetingbots", "notes")["podName"]
    environment = installation.kubelet.record(tenant.namespace, pod).environment["bot"]

    before, began = reviews(installation.cluster), time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        unknown = [secrets.token_urlsafe(40) for _ in range(UNKNOWN_TOKENS)]
        answers = set(pool.map(lambda token: ask(port, token, source=ATTACKER), unknown))
    assert answers == {401, 429}
    again = [ask(port, "the same unknown token", source=REPEATER) for _ in range(2 * REVIEWS_PER_ADDRESS)]
    assert set(again) == {401}
    # Those that were under way when the last one was counted, and those that a slow machine's time has earned since.
    earned = (time.monotonic() - began) / SECONDS_PER_REVIEW
    assert reviews(installation.cluster) - before <= REVIEWS_PER_ADDRESS + AT_ONCE + 1 + earned

    own = Path(environment["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()
    assert ask(port, own, source=BOT) == 200

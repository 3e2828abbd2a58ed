"""Bots that end in every way, each played by the test: what they do at Zoom, and what they report."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.join import JoinRequest
from tests.zoomsim.visits import Participant
from tests.zoomsim.world import HostAnswer, Meeting

LIMIT_SECONDS: Final = 300.0


class Played:
    """One bot in a meeting. The bot's container only sleeps; `play` acts for it."""

    def __init__(self, *, name: str, tenant: Tenant, zoom: SimClient, kubelet: KubeletDouble, meeting: Meeting) -> None:
        self.name = name
        self._tenant = tenant
        self._zoom = zoom
        self._kubelet = kubelet
        self._meeting = meeting

    def create(self, **spec: Any) -> None:
        """Create the MeetingBot."""
        common = {"image": "test/sleep", "tokenEndpoint": True, "retry": {"limit": 0}, "tokenWaitSeconds": 1}
        self._tenant.bot(self.name, self._meeting.id, **{**common, **spec})

    def play(self, act: Callable[[Played], None]) -> None:
        """Wait for the Pod, act, and end the container."""
        self._tenant.wait_phase(self.name, "Running", seconds=LIMIT_SECONDS)
        act(self)
        pod = self._tenant.status("meetingbots", self.name)["podName"]
        self._kubelet.kill(self._tenant.namespace, pod, "bot")

    def join(self, *, customer_key: bool = True) -> Participant:
        """Join the meeting as the bot's program does."""
        environment = self._environment()
        return self._zoom.join(
            JoinRequest(
                meeting_id=environment["ZOOM_MEETING_ID"],
                display_name=self.name,
                join_token=environment["ZOOM_JOIN_TOKEN"],
                customer_key=environment["ZOOM_CUSTOMER_KEY"] if customer_key else "",
            )
        )

    def leave(self, visit: Participant) -> None:
        """Leave the meeting."""
        self._zoom.leave(visit.id)

    def host_answers(self, visit: Participant, answer: HostAnswer) -> None:
        """Let the host answer."""
        self._zoom.answer(visit.id, answer)

    def report(self, state: str) -> None:
        """Report a state to the operator."""
        environment = self._environment()
        token = Path(environment["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()
        request = urllib.request.Request(  # noqa: S310 - loopback
            environment["ZOOM_REPORT_URL"],
            data=json.dumps({"state": state}).encode(),
            headers={"Authorization": f"Bearer {token}"},
        )
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310

    def wait_admission_known(self, *, status: str) -> None:
        """Wait until the condition Admitted has this status."""
        self._tenant.wait(
            f"Admitted of {self.name} is {status}",
            lambda: self._tenant.condition("meetingbots", self.name, "Admitted").get("status") == status,
            seconds=LIMIT_SECONDS,
        )

    def _environment(self) -> dict[str, str]:
        pod = self._tenant.status("meetingbots", self.name)["podName"]
        return self._kubelet.record(self._tenant.namespace, pod).environment["bot"]


def records(bot: Played) -> None:
    """It is admitted at once, and records."""
    visit = bot.join()
    bot.report("recording")
    bot.leave(visit)
    bot.report("left")


def is_refused(bot: Played) -> None:
    """It asks the host, who refuses."""
    visit = bot.join()
    bot.report("asking_host")
    bot.host_answers(visit, "denied")
    bot.report("recording_denied")


def is_not_answered(bot: Played) -> None:
    """It asks the host, who does not answer, and leaves."""
    visit = bot.join()
    bot.report("asking_host")
    bot.host_answers(visit, "timeout")
    bot.report("left")


def waits(bot: Played) -> None:
    """It stays in the waiting room to its end, and only Zoom says so."""
    bot.join()
    bot.wait_admission_known(status="False")


def says_nothing(bot: Played) -> None:
    """It joins without its customer key, and reports nothing."""
    bot.leave(bot.join(customer_key=False))

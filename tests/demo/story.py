"""The demo's story: one bot records at once, one asks the host, one does not join."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.demo.closing_table import lines, row
from tests.demo.narration import Narration
from tests.demo.place import ROOT, Objects, Place
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import MeetingWanted
from tests.zoomsim.visits import Participant

APP = "demo-app"
VALIDATION = "endpoint.url_validation"
ALICES_MEETING, BOBS_MEETING = 81234567890, 89876543210
PASSCODE = "demo-" + "passcode"
REPORTS = '{"spec": {"tokenEndpoint": true}}'
# After this many seconds of waiting, the demo says what it waits for.
PATIENCE_SECONDS = 5.0


class Story:
    """Runs the demo step by step, on the real objects of a place."""

    def __init__(self, *, narration: Narration, place: Place, zoom: SimClient) -> None:
        self._n = narration
        self._place = place
        self._objects = Objects(place)
        self._zoom = zoom

    def tell(self) -> None:
        """Run all steps. A check that fails is recorded; a timeout ends the demo."""
        try:
            self._consent()
            self._mapping()
            self._bot_that_records()
            self._bot_that_asks()
            self._bot_that_insists()
            self._host_answers()
            self._the_end()
            self._table()
        except TimeoutError as error:
            self._n.check(str(error), False)

    def _consent(self) -> None:
        self._n.step("Alice consents at Zoom. Her refresh token and the app's secrets are stored in Secrets")
        app = self._zoom.change_app(APP, webhook_url=self._place.webhook_url(APP))
        consent = self._zoom.consent(client_id=APP, user="alice@acme.example")
        self._secret(
            "zoom-app",
            client_id=app.client_id,
            client_secret=app.client_secret,
            webhook_secret_token=app.webhook_secret_token,
        )
        self._secret("alice", refresh_token=consent.refresh_token)
        self._secret("weekly", passcode=PASSCODE)
        self._objects.apply("ConfigMap", "zoom-simulator", {"data": {"url": self._zoom.base_url}})
        self._apply("credential.yaml")
        self._wait("the ZoomCredential is Ready", lambda: self._ready("zoomcredentials", "alice") == "True")
        self._wait(
            "her meetings at Zoom are listed",
            lambda: self._condition("zoomcredentials", "alice", "MeetingsSynced").get("status") == "True",
        )
        self._get("zcred")
        token = self._objects.secret("alice-zoom-token") or {}
        self._n.check("the tokens are in Secret alice-zoom-token", "access_token" in token.get("data", {}))
        # The receiver learns of a new app a moment after the operator; until then it answers 503.
        self._wait("Zoom has validated the webhook URL with a challenge", lambda: self._zoom.validate(APP))

    def _mapping(self) -> None:
        self._n.step("Alice schedules a meeting. Zoom sends a signed webhook, and the receiver creates the mapping")
        meeting = MeetingWanted(
            id=ALICES_MEETING, host_id="alice@acme.example", passcode=PASSCODE, start_in=60.0, waiting_room=True
        )
        self._zoom.add_meeting(meeting)
        begun = time.monotonic()
        self._wait(
            "the MeetingMapping exists", lambda: self._objects.get("meetingmappings", ALICES_MEETING) is not None
        )
        self._n.say(f"it took {time.monotonic() - begun:.2f} s")
        self._get("mmap")
        found = self._status("meetingmappings", ALICES_MEETING, "credentials") or []
        self._n.check("it names Alice's credential, source Webhook", _source(found) == [("alice", "Webhook")])
        self._zoom.act(ALICES_MEETING, "start")
        self._wait(
            "the webhook meeting.started sets its phase to Live",
            lambda: self._status("meetingmappings", ALICES_MEETING, "phase") == "Live",
        )

    def _bot_that_records(self) -> None:
        self._n.step(
            "A bot for Alice's meeting: the Pod is staged, the token is requested last, the bot records at once"
        )
        self._apply_reporting("bot-with-token.yaml")
        name = "weekly-with-token"
        seen = self._watch_phases(name, until="Running")
        self._n.say(f"phases seen: {' → '.join(seen)}")
        self._get("mbot")
        self._wait("the bot has joined", lambda: self._visit(ALICES_MEETING) is not None)
        visit = self._visit(ALICES_MEETING)
        self._n.check("it bypassed the waiting room and records", visit is not None and visit.state == "recording")
        age = visit.token_age_seconds if visit else None
        self._n.check(
            f"its token was {age if age is None else round(age, 2)} s old when it joined", age is not None and age < 2
        )
        pod = self._status("meetingbots", name, "podName")
        self._n.show(f"kubectl logs {pod}", self._place.logs(str(pod), "bot"))
        self._wait("the Secret with the join token is deleted", lambda: self._objects.secret(f"{pod}-zoom") is None)

    def _bot_that_asks(self) -> None:
        self._n.step(
            "A bot for a stranger's meeting (tokenPolicy Preferred): it joins without a token and asks the host"
        )
        bobs = MeetingWanted(id=BOBS_MEETING, host_id="bob@other.example", start_in=60.0, waiting_room=False)
        self._zoom.add_meeting(bobs)
        self._zoom.act(BOBS_MEETING, "start")
        self._apply_reporting("bot-without-token.yaml")
        self._wait("the bot runs", lambda: self._status("meetingbots", "stranger-preferred", "phase") == "Running")
        self._wait("it is in the meeting", lambda: self._visit(BOBS_MEETING) is not None)
        visit = self._visit(BOBS_MEETING)
        self._n.check("Zoom asks the host for permission to record", visit is not None and visit.state == "asks_host")
        reason = self._condition("meetingbots", "stranger-preferred", "TokenIssued").get("reason")
        self._n.check(f"its condition TokenIssued has the reason: {reason}", reason == "NoMapping")

    def _bot_that_insists(self) -> None:
        self._n.step("The same with tokenPolicy Required: it does not join, and reports why")
        self._apply("bot-that-insists.yaml")
        self._wait("the bot has failed", lambda: self._status("meetingbots", "stranger-required", "phase") == "Failed")
        ready = self._condition("meetingbots", "stranger-required", "Ready")
        self._n.check(f"its condition Ready has the reason: {ready.get('reason')}", ready.get("reason") == "NoMapping")
        self._n.say(str(ready.get("message")))
        self._get("mbot")

    def _host_answers(self) -> None:
        self._n.step("Bob, the host, allows the recording")
        visit = self._visit(BOBS_MEETING)
        if visit is not None:
            self._zoom.answer(visit.id, "granted")
        self._wait("the bot records", lambda: self._recording("stranger-preferred") == "True")
        self._n.say(str(self._condition("meetingbots", "stranger-preferred", "Recording").get("message")))

    def _the_end(self) -> None:
        self._n.step("The meetings end, and the bots leave")
        self._zoom.act(ALICES_MEETING, "end")
        self._zoom.act(BOBS_MEETING, "end")
        for name in ("weekly-with-token", "stranger-preferred"):
            self._wait(f"{name} has succeeded", partial(self._is_in_phase, name, "Succeeded"))
        self._get("mbot")
        events = [one for one in self._zoom.deliveries() if one.client_id == APP and one.event != VALIDATION]
        taken = bool(events) and all(one.state == "delivered" for one in events)
        self._n.check("every webhook of Zoom was accepted", taken)

    def _table(self) -> None:
        self._n.step("What the bots achieved, by their statuses and Zoom's record")
        bots = {"weekly-with-token": ALICES_MEETING, "stranger-preferred": BOBS_MEETING, "stranger-required": None}
        rows = []
        for name, meeting in bots.items():
            visit = self._visit(meeting) if meeting is not None else None
            status = (self._objects.get("meetingbots", name) or {}).get("status", {})
            rows.append(row(name, status, asked=None if visit is None else visit.state == "asks_host"))
        for line in lines(rows):
            self._n.say(line)
        alices = rows[0]
        self._n.check("the bot with a token recorded and asked nobody", alices.asked == "nobody" and alices.recorded)

    def _watch_phases(self, name: str, *, until: str) -> list[str]:
        seen: list[str] = []

        def arrived() -> bool:
            phase = str(self._status("meetingbots", name, "phase") or "Pending")
            if not seen or seen[-1] != phase:
                seen.append(phase)
            return phase == until

        self._await(f"phase {until} of {name}", arrived)
        return seen

    def _is_in_phase(self, name: str, phase: str) -> bool:
        return bool(self._status("meetingbots", name, "phase") == phase)

    def _visit(self, meeting_id: int) -> Participant | None:
        return next((visit for visit in self._zoom.joins() if visit.meeting_id == str(meeting_id)), None)

    def _wait(self, promise: str, holds: Callable[[], bool]) -> None:
        self._await(promise, holds)
        self._n.check(promise, True)

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        with self._n.patience(what, every_seconds=PATIENCE_SECONDS):
            self._objects.wait(what, holds)

    def _recording(self, bot: str) -> str:
        return str(self._condition("meetingbots", bot, "Recording").get("status", ""))

    def _ready(self, plural: str, name: str) -> str:
        return str(self._condition(plural, name, "Ready").get("status", ""))

    def _condition(self, plural: str, name: str, kind: str) -> dict[str, Any]:
        return self._objects.condition(plural, name, kind)

    def _status(self, plural: str, name: object, key: str) -> Any:
        return self._objects.status(plural, name, key)

    def _secret(self, name: str, **values: str) -> None:
        self._objects.apply("Secret", name, {"stringData": values})

    def _apply(self, file: str) -> None:
        where = self._there()
        output = self._place.kubectl("apply", "-f", str(ROOT / "examples" / file), *where)
        self._n.show(" ".join(("kubectl apply -f", f"examples/{file}", *where)), output)

    def _apply_reporting(self, file: str) -> None:
        """Apply a bot that reports its progress, for which its Pod needs access to the token endpoint."""
        where = self._there()
        patch = ("patch", "--local", "-f", str(ROOT / "examples" / file), "--type=merge", "-o", "yaml", "-p", REPORTS)
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder) / file
            manifest.write_text(self._place.kubectl(*patch))
            output = self._place.kubectl("apply", "-f", str(manifest), *where)
        command = f"kubectl patch --local -f examples/{file} --type=merge -p '{REPORTS}' -o yaml | kubectl apply -f -"
        self._n.show(" ".join((command, *where)), output)

    def _get(self, kind: str) -> None:
        where = self._there()
        self._n.show(" ".join(("kubectl get", kind, *where)), self._place.kubectl("get", kind, *where))

    def _there(self) -> tuple[str, ...]:
        return () if self._place.namespace == "default" else ("-n", self._place.namespace)


def _source(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(entry["name"], entry["source"]) for entry in found]

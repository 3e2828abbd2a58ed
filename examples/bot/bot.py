"""The example bot: joins a meeting at the Zoom simulator, stays until its end, and prints how it went.

It shows the contract between MeetingBots and a bot: the environment holds everything the bot needs, SIGTERM means
leave, and the last log line says why the bot ended. Exit codes: 0 done, 1 refused, 75 requests a new Pod with new
tokens.
"""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TRY_AGAIN = 75  # EX_TEMPFAIL: the operator creates a new Pod with new tokens
USER_NOT_IN_MEETING = 501
CONNECT_SECONDS = 15.0
POLL_SECONDS = 0.5
STATES_INSIDE = ("recording", "waiting_room", "asks_host")
REPORTS = {"recording": "recording", "waiting_room": "waiting_room", "asks_host": "asking_host", "removed": "removed"}
REPORT_TRIES = 3


class Leave(Exception):  # noqa: N818 - it is a request, not an error
    """SIGTERM: the bot must leave."""


def main() -> int:
    """Join, stay, leave; return the exit code."""
    signal.signal(signal.SIGTERM, on_sigterm)
    base = os.environ.get("ZOOM_SIMULATOR_URL", "").rstrip("/")
    if not base:
        return say("ZOOM_SIMULATOR_URL is not set: this example joins a simulator of Zoom only", 1)
    visit: dict[str, object] = {}
    try:
        visit = ask(base, "POST", "join", what_to_present())
        return stay(base, visit) if visit["id"] else refused(visit)
    except Leave:
        if visit.get("id"):
            ask(base, "POST", f"participants/{visit['id']}/leave", {})
            report("left")
        return say("Asked to stop: left the meeting", 0)
    except OSError as error:
        return say(f"Zoom cannot be reached: {type(error).__name__}", 1)


def what_to_present() -> dict[str, str]:
    """Read what the operator put into the environment; an empty value means that there is none."""
    kinds = ("join_token", "obf_token", "zak", "live_streaming_token", "local_archiving_token")
    given = {key: os.environ.get(f"ZOOM_{key.upper()}", "") for key in ("meeting_id", "display_name", *kinds)}
    given["passcode"] = os.environ.get("ZOOM_MEETING_PASSCODE", "")
    given["customer_key"] = os.environ.get("ZOOM_CUSTOMER_KEY", "")
    if not given["join_token"]:
        say(f"No recording token: {os.environ.get('ZOOM_TOKEN_REASON') or 'no reason was given'}", 0)
    say(f"Joining meeting {given['meeting_id']} as {given['display_name'] or 'a bot without a name'}", 0)
    return given


def stay(base: str, visit: dict[str, object]) -> int:
    """Stay until the meeting is over, the host decides otherwise, or BOT_STAY_SECONDS have passed."""
    until = time.monotonic() + float(os.environ.get("BOT_STAY_SECONDS") or "inf")
    before = ""
    while visit["state"] in STATES_INSIDE:
        if visit["state"] != before:
            before = str(visit["state"])
            report(REPORTS[before])
            say("Recording" if before == "recording" else f"Not recording yet: {visit['reason']}", 0)
        if time.monotonic() >= until:
            ask(base, "POST", f"participants/{visit['id']}/leave", {})
            report("left")
            return say("Stayed for BOT_STAY_SECONDS: left the meeting", 0)
        time.sleep(POLL_SECONDS)
        visit = ask(base, "GET", f"participants/{visit['id']}")
    report(REPORTS.get(str(visit["state"]), "left"), message=str(visit["reason"]))
    if visit["state"] == "removed":
        return say(f"Removed from the meeting: {visit['reason']}", TRY_AGAIN)
    return say(f"Over: {visit['reason']}", 0 if visit["state"] in ("ended", "left") else 1)


def refused(visit: dict[str, object]) -> int:
    """Say why Zoom did not let the bot in."""
    code = "" if visit["sdk_code"] is None else f" (code {visit['sdk_code']})"
    return say(f"Not let in: {visit['reason']}{code}", TRY_AGAIN if visit["sdk_code"] == USER_NOT_IN_MEETING else 1)


def ask(base: str, method: str, path: str, content: dict[str, str] | None = None) -> dict[str, object]:
    """Call the simulator; without a connection, try again for a few seconds."""
    data = None if content is None else json.dumps(content).encode()
    until = time.monotonic() + CONNECT_SECONDS
    while True:
        request = urllib.request.Request(f"{base}/sim/{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except urllib.error.HTTPError:
            raise  # an answer, though an error
        except OSError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


def report(state: str, *, message: str = "") -> None:
    """Tell the operator how far the bot is. It joins and records without that, so a failure is only printed."""
    url = os.environ.get("ZOOM_REPORT_URL", "")
    if not url:
        return
    token = Path(os.environ["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()
    body = json.dumps({"state": state, "code": 0, "message": message}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for left in reversed(range(REPORT_TRIES)):
        try:
            urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=5).close()
        except OSError as error:
            if left and (not isinstance(error, urllib.error.HTTPError) or error.code in (429, 503)):
                time.sleep(1)
                continue
            say(f"The report {state} failed: {error}", 0)
        return


def say(what: str, code: int) -> int:
    """Print a line at once (Kubernetes uses the last ones as the termination message) and return the exit code."""
    print(what, flush=True)
    return code


def on_sigterm(_number: int, _frame: object) -> None:
    """Turn SIGTERM into an exception that ends any call; a second SIGTERM changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Leave


if __name__ == "__main__":
    sys.exit(main())

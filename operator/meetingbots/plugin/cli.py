"""The command line of the plugin: `kubectl meetingbots COMMAND`."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from meetingbots import __version__
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.kube.errors import AlreadyExistsError, KubeError
from meetingbots.kube.resources import BOTS
from meetingbots.models.base import format_time
from meetingbots.models.names import API_VERSION
from meetingbots.plugin import doctor, why_bot, why_credential
from meetingbots.plugin.answer import Answer
from meetingbots.plugin.doctor import Check, Colour, Places
from meetingbots.plugin.reader import ClusterReader, open_reader
from meetingbots.plugin.why_bot import timeline
from meetingbots.zoom.links import InvalidLink, MeetingLink, parse_meeting
from meetingbots.zoom.oauth import DEFAULT_OAUTH_URL

OK: Final = 0
WRONG: Final = 1
UNUSABLE: Final = 2
_CODES: Final = {Colour.GREEN: OK, Colour.YELLOW: WRONG, Colour.RED: UNUSABLE}
_WATCH_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to send: a link or meeting ID, when (None: now), with which credential (empty: by the mapping)."""

    link: str
    at: datetime | None = None
    credential: str = ""
    name: str = ""


def manifest(wish: Wish, *, namespace: str, now: datetime) -> dict[str, object]:
    """The MeetingBot. Raises `InvalidLink`."""
    meeting = parse_meeting(wish.link)
    at = wish.at or now
    spec: dict[str, object] = {"meeting": {"url": wish.link}, "joinAt": format_time(at)}
    if wish.credential:
        spec["credentialRef"] = {"name": wish.credential}
    return {
        "apiVersion": API_VERSION,
        "kind": "MeetingBot",
        "metadata": {"name": wish.name or _name(meeting, at), "namespace": namespace},
        "spec": spec,
    }


def _name(meeting: MeetingLink, at: datetime) -> str:
    """A name that the same wish has again, so that a repeated command makes no second bot."""
    stem = meeting.meeting_id or "personal"
    return f"meeting-{stem}-{hashlib.sha256(format_time(at).encode()).hexdigest()[:6]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0: all is well; 1: something is wrong; 2: usage, no object, or no access."""
    wanted = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(wanted))
    except (ClusterAccessError, KubeError, InvalidLink) as error:
        print(f"kubectl meetingbots: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-n", "--namespace", help="default: that of the kubeconfig's context")
    common.add_argument("--context", help="context of the kubeconfig")
    common.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text")
    parser = argparse.ArgumentParser(prog="kubectl meetingbots", description="Explains MeetingBots and ZoomCredentials")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    why = commands.add_parser("why", parents=[common], help="explain a bot, a credential or a meeting")
    why.add_argument("subject", help="a MeetingBot, a ZoomCredential, a meeting ID or a link")
    lines = commands.add_parser("timeline", parents=[common], help="list a bot's events, relative to joinAt")
    lines.add_argument("bot")
    lines.add_argument("-w", "--watch", action="store_true", help="follow until the bot has finished")
    link = commands.add_parser("connect", parents=[common], help="print the link on which a person consents")
    link.add_argument("credential")
    link.add_argument("--wait", action="store_true", help="wait until the person has consented")
    new = commands.add_parser("send", parents=[common], help="create a MeetingBot for a pasted link")
    new.add_argument("link", help="a link or a meeting ID")
    new.add_argument("--at", type=_time, help="when to join (RFC 3339); default: now")
    new.add_argument("--as", dest="credential", default="", help="ZoomCredential; default: by the MeetingMapping")
    new.add_argument("--name", default="", help="name of the MeetingBot; default: made from the meeting")
    new.add_argument("--dry-run", action="store_true", help="print the MeetingBot instead")
    checks = commands.add_parser("doctor", parents=[common], help="check the installation")
    checks.add_argument("--system-namespace", default="meetingbots-system", help="namespace of the operator")
    checks.add_argument("--public-url", default="", help="the receiver's URL; default: from a connect link")
    checks.add_argument("--zoom-oauth-url", default=DEFAULT_OAUTH_URL, help="base of Zoom's OAuth endpoints")
    return parser


async def _run(wanted: argparse.Namespace) -> int:
    async with open_reader(context=wanted.context, namespace=wanted.namespace) as reader:
        match wanted.command:
            case "why":
                return await _why(reader, wanted)
            case "timeline":
                return await _timeline(reader, wanted)
            case "connect":
                return await _connect(reader, wanted)
            case "send":
                return await _send(reader, wanted)
            case _:
                return await _doctor(reader, wanted)


async def _why(reader: ClusterReader, wanted: argparse.Namespace) -> int:
    answer = await _answer(reader, wanted.subject)
    if answer is None:
        rights = f" Not readable with your rights: {', '.join(reader.unread)}." if reader.unread else ""
        print(f"Nothing called {wanted.subject} in namespace {reader.namespace}.{rights}", file=sys.stderr)
        return UNUSABLE
    _print(answer.to_text(), answer.to_dict(), wanted.output)
    return OK if answer.well else WRONG


async def _answer(reader: ClusterReader, subject: str) -> Answer | None:
    bot = await reader.bot_story(subject) if _is_name(subject) else None
    if bot is not None:
        return why_bot.explain(bot)
    credential = await reader.credential_story(subject) if _is_name(subject) else None
    if credential is not None:
        return why_credential.explain(credential)
    try:
        meeting_id = parse_meeting(subject).meeting_id
    except InvalidLink:
        return None
    return why_credential.explain_meeting(await reader.meeting_story(meeting_id)) if meeting_id else None


def _is_name(subject: str) -> bool:
    return not set(subject) & set("/:? ")


async def _timeline(reader: ClusterReader, wanted: argparse.Namespace) -> int:
    shown: set[str] = set()
    while True:
        story = await reader.bot_story(wanted.bot)
        if story is None:
            print(f"There is no MeetingBot {wanted.bot} in namespace {reader.namespace}.", file=sys.stderr)
            return UNUSABLE
        lines = timeline(story)
        if wanted.output != "text":
            _print("", {"timeline": lines}, wanted.output)
            return OK
        for line in lines:
            if line not in shown:
                print(line, flush=True)
        shown |= set(lines)
        if not wanted.watch or story.bot.status.completion_time is not None:
            return OK
        await asyncio.sleep(_WATCH_SECONDS)


async def _connect(reader: ClusterReader, wanted: argparse.Namespace) -> int:
    printed = False
    while True:
        story = await reader.credential_story(wanted.credential)
        if story is None:
            print(f"There is no ZoomCredential {wanted.credential} in {reader.namespace}.", file=sys.stderr)
            return UNUSABLE
        answer, url = why_credential.explain(story), story.credential.status.connect_url
        if url and not printed:
            print(url, flush=True)
            printed = True
        if answer.well or not wanted.wait:
            if not url and not printed:
                print(f"There is no link: {answer.cause}", file=sys.stderr)
            return OK if answer.well or url else WRONG
        await asyncio.sleep(_WATCH_SECONDS)


async def _send(reader: ClusterReader, wanted: argparse.Namespace) -> int:
    wish = Wish(link=wanted.link, at=wanted.at, credential=wanted.credential, name=wanted.name)
    bot: dict[str, Any] = manifest(wish, namespace=reader.namespace, now=_now())
    if wanted.dry_run:
        _print(yaml.safe_dump(bot, sort_keys=False), bot, wanted.output)
        return OK
    try:
        await reader.kube.create(BOTS, namespace=reader.namespace, body=bot)
    except AlreadyExistsError:
        print(f"MeetingBot {bot['metadata']['name']} exists already.", file=sys.stderr)
        return WRONG
    print(f"meetingbot.meetingbots.dev/{bot['metadata']['name']} created")
    return OK


async def _doctor(reader: ClusterReader, wanted: argparse.Namespace) -> int:
    checks: list[Check] = []
    places = Places(public_url=wanted.public_url.rstrip("/"), oauth_url=wanted.zoom_oauth_url)
    async for check in doctor.examine(reader, system=wanted.system_namespace, places=places, clock=_now):
        checks.append(check)
        if wanted.output == "text":
            print(f"{check.colour:6}  {check.text}{f' {check.remedy}' if check.remedy else ''}", flush=True)
    if wanted.output != "text":
        _print("", {"checks": [vars(check) for check in checks]}, wanted.output)
    return max((_CODES[check.colour] for check in checks), default=OK)


def _print(text: str, content: dict[str, Any], output: str) -> None:
    plain = json.loads(json.dumps(content))
    if output == "json":
        text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    elif output == "yaml":
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    sys.stdout.write(text)


def _now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - this command is a process of its own


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("the time needs a zone, such as 2030-01-01T12:00:00Z")
    return moment

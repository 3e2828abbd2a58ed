"""The command line of the plugin: `kubectl meetingbots COMMAND`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import segno
import yaml

from meetingbots.kube.connection import ClusterAccessError
from meetingbots.kube.errors import AlreadyExistsError, KubeError
from meetingbots.kube.resources import BOTS, CREDENTIALS, MAPPINGS
from meetingbots.models.bot import BotPhase
from meetingbots.plugin import doctor, why_bot, why_credential
from meetingbots.plugin.answer import Answer, Check, Colour
from meetingbots.plugin.arguments import parser
from meetingbots.plugin.bot_request import BotRequest, manifest
from meetingbots.plugin.doctor import ServiceURLs
from meetingbots.plugin.reader import ClusterReader, open_reader
from meetingbots.plugin.why_bot import timeline
from meetingbots.zoom.links import InvalidLink, parse_meeting

OK: Final = 0
WRONG: Final = 1
UNUSABLE: Final = 2
_CODES: Final = {Colour.GREEN: OK, Colour.YELLOW: WRONG, Colour.RED: UNUSABLE}
_WATCH_SECONDS: Final = 2.0
_PAINT: Final = {Colour.GREEN: "\x1b[32m", Colour.YELLOW: "\x1b[33m", Colour.RED: "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0: all is well; 1: something is wrong; 2: usage, no object, or no access."""
    options = parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except (ClusterAccessError, KubeError, InvalidLink) as error:
        print(f"kubectl meetingbots: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        return 130


async def _run(options: argparse.Namespace) -> int:
    async with open_reader(context=options.context, namespace=options.namespace) as reader:
        match options.command:
            case "why":
                return await _why(reader, options)
            case "timeline":
                return await _timeline(reader, options)
            case "connect":
                return await _connect(reader, options)
            case "send":
                return await _send(reader, options)
            case _:
                return await _doctor(reader, options)


async def _why(reader: ClusterReader, options: argparse.Namespace) -> int:
    if options.all_namespaces:
        found = await _answers_everywhere(reader, options.subject)
    else:
        answer = await _answer(reader, options.subject)
        found = [answer] if answer is not None else []
    if not found:
        where = "any namespace" if options.all_namespaces else f"namespace {reader.namespace}; -A looks in all"
        return _not_found(reader, f"There is no MeetingBot, ZoomCredential or meeting {options.subject} in {where}.")
    content = [answer.to_dict() for answer in found]
    text = "\n".join(answer.to_text() for answer in found)
    _print(text, {"answers": content} if options.all_namespaces else content[0], options.output)
    return OK if all(answer.well for answer in found) else WRONG


async def _answers_everywhere(reader: ClusterReader, subject: str) -> list[Answer]:
    """An answer for each namespace that has the bot, the credential, or the meeting's mapping."""
    namespaces: set[str] = set()
    if _is_name(subject):
        for kind in (BOTS, CREDENTIALS):
            namespaces |= set(await reader.namespaces_with(kind, subject))
    meeting_id = _meeting_id(subject)
    if meeting_id is not None:
        namespaces |= set(await reader.namespaces_with(MAPPINGS, meeting_id))
    found = [
        (namespace, await _answer(replace(reader, namespace=namespace), subject)) for namespace in sorted(namespaces)
    ]
    return [replace(answer, namespace=namespace) for namespace, answer in found if answer is not None]


async def _answer(reader: ClusterReader, subject: str) -> Answer | None:
    bot = await reader.bot_story(subject) if _is_name(subject) else None
    if bot is not None:
        return why_bot.explain(bot)
    credential = await reader.credential_story(subject) if _is_name(subject) else None
    if credential is not None:
        return why_credential.explain(credential)
    meeting_id = _meeting_id(subject)
    return why_credential.explain_meeting(await reader.meeting_story(meeting_id)) if meeting_id is not None else None


def _meeting_id(subject: str) -> str | None:
    """The meeting ID; None for a personal link and for an object's name. Raises `InvalidLink` for another link."""
    try:
        return parse_meeting(subject).meeting_id
    except InvalidLink:
        if _is_name(subject):
            return None
        raise


def _is_name(subject: str) -> bool:
    return not set(subject) & set("/:? ")


async def _timeline(reader: ClusterReader, options: argparse.Namespace) -> int:
    if options.output == "text":
        return await _follow(reader, options.bot, watch=options.watch)
    story = await reader.bot_story(options.bot)
    if story is None:
        return _no_bot(reader, options.bot)
    _print("", {"timeline": timeline(story)}, options.output)
    return OK


def _no_bot(reader: ClusterReader, name: str) -> int:
    return _not_found(reader, f"There is no MeetingBot {name} in namespace {reader.namespace}.")


def _not_found(reader: ClusterReader, text: str) -> int:
    """Print the text and the missing rights, which may be the reason."""
    rights = f" Not readable with your rights: {', '.join(reader.unread)}." if reader.unread else ""
    print(f"{text}{rights}", file=sys.stderr)
    return UNUSABLE


async def _follow(reader: ClusterReader, bot: str, *, watch: bool) -> int:
    """Print a bot's timeline, and with `watch` what follows until it has finished."""
    shown: set[str] = set()
    while True:
        story = await reader.bot_story(bot)
        if story is None:
            return _no_bot(reader, bot)
        lines = timeline(story)
        for line in lines:
            if line not in shown:
                print(line, flush=True)
        shown |= set(lines)
        status = story.bot.status
        if not watch:
            return OK
        if status.completion_time is not None:
            return OK if status.phase is BotPhase.SUCCEEDED else WRONG
        await asyncio.sleep(_WATCH_SECONDS)


async def _connect(reader: ClusterReader, options: argparse.Namespace) -> int:
    printed = False
    while True:
        story = await reader.credential_story(options.credential)
        if story is None:
            text = f"There is no ZoomCredential {options.credential} in namespace {reader.namespace}."
            return _not_found(reader, text)
        answer, url = why_credential.explain(story), story.credential.status.connect_url
        if url and not printed:
            print(url, flush=True)
            if sys.stdout.isatty():
                segno.make(url, error="l").terminal(compact=True)
            printed = True
        if answer.well or not options.wait:
            if not url and not printed:
                print(f"There is no link: {answer.cause}", file=sys.stderr)
            return OK if answer.well or url else WRONG
        await asyncio.sleep(_WATCH_SECONDS)


async def _send(reader: ClusterReader, options: argparse.Namespace) -> int:
    request = BotRequest(link=options.link, at=options.at, credential=options.credential, name=options.name)
    bot: dict[str, Any] = manifest(request, namespace=reader.namespace, now=_now())
    if options.dry_run:
        _print(yaml.safe_dump(bot, sort_keys=False), bot, options.output)
        return OK
    try:
        await reader.kube.create(BOTS, namespace=reader.namespace, body=bot)
    except AlreadyExistsError:
        print(f"MeetingBot {bot['metadata']['name']} exists already.", file=sys.stderr)
        return WRONG
    print(f"meetingbot.meetingbots.dev/{bot['metadata']['name']} created", flush=True)
    return await _follow(reader, bot["metadata"]["name"], watch=True) if options.wait else OK


async def _doctor(reader: ClusterReader, options: argparse.Namespace) -> int:
    checks: list[Check] = []
    urls = ServiceURLs(public_url=options.public_url.rstrip("/"), oauth_url=options.zoom_oauth_url)
    async for check in doctor.examine(
        reader, system=options.system_namespace, urls=urls, clock=_now, everywhere=options.all_namespaces
    ):
        checks.append(check)
        if options.output == "text":
            print(f"{_painted(check.colour)}  {check.text}{f' {check.remedy}' if check.remedy else ''}", flush=True)
    if options.output != "text":
        _print("", {"checks": [vars(check) for check in checks]}, options.output)
    return max((_CODES[check.colour] for check in checks), default=OK)


def _painted(colour: Colour) -> str:
    """The colour's name; on a terminal in that colour, unless NO_COLOR is set (no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return f"{colour:6}"
    return f"{_PAINT[colour]}{colour:6}{_PLAIN}"


def _print(text: str, content: dict[str, Any], output: str) -> None:
    plain = json.loads(json.dumps(content))
    if output == "json":
        text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    elif output == "yaml":
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    sys.stdout.write(text)


def _now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - this command is a process of its own

"""The arguments of `kubectl meetingbots`, and their completion by kubectl."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from meetingbots import __version__
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import BOTS, CREDENTIALS, Resource
from meetingbots.plugin.reader import open_reader
from meetingbots.zoom.oauth import DEFAULT_OAUTH_URL

_NO_FILES: Final = ":4"
"""kubectl completion, ShellCompDirectiveNoFileComp."""
_NAMED: Final[dict[str, tuple[Resource, ...]]] = {
    "why": (BOTS, CREDENTIALS),
    "timeline": (BOTS,),
    "connect": (CREDENTIALS,),
}


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    common = _common()
    anywhere = argparse.ArgumentParser(add_help=False, parents=[common])
    anywhere.add_argument("-A", "--all-namespaces", action="store_true", help="look in all namespaces")
    made = argparse.ArgumentParser(prog="kubectl meetingbots", description="Explains MeetingBots and ZoomCredentials")
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    why = commands.add_parser("why", parents=[anywhere], help="explain a bot, a credential or a meeting")
    why.add_argument("subject", help="a MeetingBot, a ZoomCredential, a meeting ID or a link")
    lines = commands.add_parser("timeline", parents=[common], help="list a bot's events, relative to joinAt")
    lines.add_argument("bot", help="name of the MeetingBot")
    lines.add_argument("-w", "--watch", action="store_true", help="follow until the bot has finished")
    link = commands.add_parser("connect", parents=[common], help="print the link on which a person consents")
    link.add_argument("credential", help="name of the ZoomCredential")
    link.add_argument("--wait", action="store_true", help="wait until the person has consented")
    new = commands.add_parser("send", parents=[common], help="create a MeetingBot for a pasted link")
    new.add_argument("link", help="a link or a meeting ID")
    new.add_argument("--at", type=_time, metavar="TIME", help="when to join (RFC 3339); default: now")
    new.add_argument("--as", dest="credential", default="", help="ZoomCredential; default: by the MeetingMapping")
    new.add_argument("--name", default="", help="name of the MeetingBot; default: made from the meeting")
    new.add_argument("--dry-run", action="store_true", help="print the MeetingBot instead")
    new.add_argument("--wait", action="store_true", help="follow the bot until it has finished")
    checks = commands.add_parser("doctor", parents=[anywhere], help="check the installation")
    checks.add_argument(
        "--system-namespace",
        default="meetingbots-system",
        metavar="NAMESPACE",
        help="namespace of the operator; default: meetingbots-system",
    )
    checks.add_argument(
        "--public-url", default="", metavar="URL", help="the receiver's URL; default: from a connect link"
    )
    checks.add_argument(
        "--zoom-oauth-url",
        default=DEFAULT_OAUTH_URL,
        metavar="URL",
        help=f"base URL of Zoom's OAuth endpoints; default: {DEFAULT_OAUTH_URL}",
    )
    return made


def _common() -> argparse.ArgumentParser:
    """The flags of every command."""
    flags = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    flags.add_argument("-n", "--namespace", help="default: that of the kubeconfig's context")
    flags.add_argument("--context", help="context of the kubeconfig")
    flags.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help="default: text")
    return flags


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give date, time and zone (RFC 3339), such as 2030-01-01T12:00:00Z")
    return moment


def complete(arguments: Sequence[str] | None = None) -> int:
    """Print the completions of the last word: the protocol of `kubectl_complete-meetingbots` (kubectl plugins)."""
    words = list(sys.argv[1:] if arguments is None else arguments) or [""]
    found = asyncio.run(_completions(words[:-1]))
    print(*(word for word in found if word.startswith(words[-1])), _NO_FILES, sep="\n")
    return 0


async def _completions(before: Sequence[str]) -> list[str]:
    if not before:
        return ["why", "timeline", "connect", "send", "doctor"]
    names: list[str] = []
    try:
        flags, _ = _common().parse_known_args(before[1:])
        async with open_reader(context=flags.context, namespace=flags.namespace) as reader:
            for resource in _NAMED.get(before[0], ()):
                names += [item["metadata"]["name"] for item in await reader.list(resource)]
    except (argparse.ArgumentError, ClusterAccessError, KubeError):
        return []
    return names

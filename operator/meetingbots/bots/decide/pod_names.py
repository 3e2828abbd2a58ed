"""Names of a bot's Pods and of their Secrets."""

from __future__ import annotations

from meetingbots.models.bot import MeetingBot


def pod_name(bot: MeetingBot, *, attempt: int) -> str:
    """The name of an attempt's Pod: bot, five characters of its uid, number of the attempt."""
    return f"{bot.name}-{bot.metadata.uid.replace('-', '')[:5]}-{attempt}"


def attempt_of(name: str) -> int:
    """The number of the attempt in a Pod's name."""
    return int(name.rsplit("-", 1)[1])


def join_secret_name(pod_name: str) -> str:
    """The name of the Secret that a Pod's container `bot` waits for."""
    return f"{pod_name}-zoom"

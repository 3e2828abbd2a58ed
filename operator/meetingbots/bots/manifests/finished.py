"""Finished MeetingBots that need nothing more from the operator."""

from __future__ import annotations

from meetingbots.kube.client import Object
from meetingbots.runtime.context import is_finished


def is_settled(bot: Object, *, default_ttl: int | None) -> bool:
    """Whether a new process needs no look at this bot: it is finished, and no time to live ends it.

    Its Pods, if there are any, queue it. Its last status was written after all other clean-up.
    """
    unchanged = bot.get("status", {}).get("observedGeneration") == bot["metadata"].get("generation")
    stays = default_ttl is None and bot.get("spec", {}).get("ttlSecondsAfterFinished") is None
    return is_finished(bot) and unchanged and stays

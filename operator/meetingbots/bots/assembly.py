"""Builds the classes that serve MeetingBots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meetingbots.bots.reconcile.live_label import LiveLabelReconciler
from meetingbots.bots.reconcile.reconciler import BotReconciler
from meetingbots.bots.rejoin.service import RejoinService
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.object_cache import Key


@dataclass(frozen=True, kw_only=True)
class BotSlice:
    """The controllers of bots and live mappings, and the service behind the token endpoint."""

    controllers: tuple[Controller[Key], ...]
    rejoins: RejoinService


def assemble(context: OperatorContext, *, access_tokens: AccessTokens, monotonic: Callable[[], float]) -> BotSlice:
    """The slice of one operator process. `monotonic` gives seconds."""
    bots = BotReconciler(services=context, access_tokens=access_tokens)
    live_labels = LiveLabelReconciler(services=context)
    return BotSlice(
        controllers=(
            Controller(kind="MeetingBot", queue=context.queues.bots, reconcile=bots.reconcile, workers=64),
            Controller(
                kind="MeetingMapping", queue=context.queues.meetings, reconcile=live_labels.reconcile, workers=4
            ),
        ),
        rejoins=RejoinService(services=context, access_tokens=access_tokens, monotonic=monotonic),
    )

"""Builds the classes that serve MeetingMappings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.mappings.reconcile.manual_entries import ManualEntries
from meetingbots.mappings.reconcile.sweeper import MappingSweeper, first_sweeps
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.object_cache import Key

_FIRST_SWEEP_SECONDS: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class MappingSlice:
    """The controllers of mappings, and background tasks that run until they are cancelled."""

    controllers: tuple[Controller[Key], ...]
    background: tuple[Callable[[], Awaitable[None]], ...]


def assemble(context: OperatorContext, *, access_tokens: AccessTokens) -> MappingSlice:
    """The slice of one operator process; plans the first sweep of each namespace."""
    sweeper = MappingSweeper(services=context, access_tokens=access_tokens)
    for place in first_sweeps(context.settings.namespaces):
        context.queues.tidying.add(place, after=_FIRST_SWEEP_SECONDS)
    return MappingSlice(
        controllers=(
            Controller(
                kind="Tidying",
                queue=context.queues.tidying,
                reconcile=sweeper.reconcile,
                workers=2,
                interruptible=True,
            ),
        ),
        background=tuple(
            ManualEntries(services=context, namespace=namespace).run for namespace in context.settings.namespaces
        ),
    )

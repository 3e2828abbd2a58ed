"""Builds the classes that serve ZoomCredentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from meetingbots.credentials.reconcile.notifier import Notifier
from meetingbots.credentials.reconcile.personal_ids import SyncedPersonalIds
from meetingbots.credentials.reconcile.reactivation import UserReactivation
from meetingbots.credentials.reconcile.receiver_projection import ReceiverProjection
from meetingbots.credentials.reconcile.reconciler import CredentialReconciler
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.sessions.zoom_session import ZoomSessions
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.object_cache import Key


@dataclass(frozen=True, kw_only=True)
class CredentialSlice:
    """The controllers of credentials, and what other slices use.

    `finish` stores what is still only in memory; it runs after all controllers have ended.
    """

    access_tokens: AccessTokens
    sessions: ZoomSessions
    personal_ids: SyncedPersonalIds
    reactivation: UserReactivation
    controllers: tuple[Controller[Key], ...]
    finish: Callable[[], Awaitable[None]]


def assemble(context: OperatorContext) -> CredentialSlice:
    """The slice of one operator process."""
    queues = context.queues
    tokens = AccessTokens(services=context)
    credentials = CredentialReconciler(services=context, access_tokens=tokens)
    projection = ReceiverProjection(services=context)
    notifier = Notifier(services=context)
    return CredentialSlice(
        access_tokens=tokens,
        sessions=ZoomSessions(access_tokens=tokens, api_factory=context.zoom_api),
        personal_ids=credentials.personal_ids,
        reactivation=UserReactivation(services=context, access_tokens=tokens),
        controllers=(
            Controller(kind="ZoomCredential", queue=queues.credentials, reconcile=credentials.reconcile, workers=16),
            Controller(kind="Receiver", queue=queues.receiver, reconcile=projection.reconcile, workers=1),
            Controller(
                kind="Notice", queue=queues.notices, reconcile=notifier.reconcile, workers=4, interruptible=True
            ),
        ),
        finish=credentials.finish,
    )

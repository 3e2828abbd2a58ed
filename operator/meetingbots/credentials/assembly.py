"""Builds the classes that serve ZoomCredentials."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from meetingbots.credentials.reconcile.actions import ConsentConclusion, CredentialActions
from meetingbots.credentials.reconcile.app_checks import AppChecks
from meetingbots.credentials.reconcile.gather import CredentialGatherer, FactSources, ProcessClock
from meetingbots.credentials.reconcile.handover import TokenHandover
from meetingbots.credentials.reconcile.identity import Identification
from meetingbots.credentials.reconcile.link_keys import LinkKeys
from meetingbots.credentials.reconcile.memory import CredentialMemories, SyncedPersonalIds
from meetingbots.credentials.reconcile.notifier import Notifier
from meetingbots.credentials.reconcile.reactivation import RemovalQueues, UserReactivation
from meetingbots.credentials.reconcile.receiver_projection import ReceiverProjection
from meetingbots.credentials.reconcile.reconciler import (
    CredentialReconciler,
    DependentQueues,
    Reporting,
    WebhookHealthReporter,
)
from meetingbots.credentials.reconcile.rotation import Rotation, TokenClients
from meetingbots.credentials.reconcile.token_store import TokenStore
from meetingbots.credentials.reconcile.token_url_grant import TokenURLs
from meetingbots.credentials.sessions.access_tokens import WAIT_SECONDS, AccessTokens
from meetingbots.credentials.sessions.zoom_session import ZoomSessions
from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.outward_webhooks import OutwardWebhooks
from meetingbots.runtime.workers import Controller


@dataclass(frozen=True, kw_only=True)
class CredentialSlice:
    """The controllers of credentials, and what other slices use.

    `finish` stores tokens that are still only in memory; it runs after all controllers have ended.
    """

    access_tokens: AccessTokens
    sessions: ZoomSessions
    personal_ids: SyncedPersonalIds
    reactivation: UserReactivation
    controllers: tuple[Controller[Key], ...]
    finish: Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ProcessPorts:
    """What tests replace: the monotonic clock (seconds), pauses, and the spread of refreshes (0 to 1)."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


def assemble(context: OperatorContext) -> CredentialSlice:
    """Build the slice of one operator process."""
    queues = context.queues
    tokens, memories = access_tokens(context), CredentialMemories()
    ports = ProcessPorts(monotonic=asyncio.get_running_loop().time)
    reconciler = credential_reconciler(context, tokens=tokens, memories=memories, ports=ports)
    sessions = ZoomSessions(access_tokens=tokens, api_factory=context.zoom_api)
    return CredentialSlice(
        access_tokens=tokens,
        sessions=sessions,
        personal_ids=SyncedPersonalIds(credentials=context.caches.credentials, memories=memories),
        reactivation=user_reactivation(context, sessions=sessions, memories=memories),
        controllers=(
            Controller(
                kind="ZoomCredential", queue=queues.credentials, reconcile=reconciler.reconcile, workers=64, share=16
            ),
            Controller(
                kind="Receiver", queue=queues.receiver, reconcile=receiver_projection(context).reconcile, workers=1
            ),
            Controller(
                kind="Notice",
                queue=queues.notices,
                reconcile=notifier(context).reconcile,
                workers=16,
                share=4,
                interruptible=True,
            ),
        ),
        finish=reconciler.finish,
    )


def access_tokens(
    context: OperatorContext,
    *,
    wait_seconds: float = WAIT_SECONDS,
    wait: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
) -> AccessTokens:
    """Build the holder of access tokens, which waits at most `wait_seconds` for a refresh."""
    return AccessTokens(
        kube=context.kube,
        credentials=context.caches.credentials,
        queue=context.queues.credentials,
        clock=context.clock,
        wait_seconds=wait_seconds,
        wait=wait,
    )


def credential_reconciler(
    context: OperatorContext, *, tokens: AccessTokens, memories: CredentialMemories, ports: ProcessPorts
) -> CredentialReconciler:
    """Build the reconciler of credentials."""
    kube, cache, settings = context.kube, context.caches.credentials, context.settings
    clock = ProcessClock(utc=context.clock, monotonic=ports.monotonic)
    store = TokenStore(kube=kube, sleep=ports.sleep)
    status = CredentialStatusWriter(kube=kube, cache=cache)
    link_keys = link_signing_keys(context, monotonic=ports.monotonic)
    app_checks = AppChecks(oauth=context.oauth, clock=context.clock)
    gatherer = CredentialGatherer(
        sources=FactSources(
            kube=kube,
            credentials=cache,
            demand=tokens,
            token_urls=TokenURLs.allowed_by(settings, client=context.outside),
            app_owners=context.app_accounts,
            link_keys=link_keys,
            app_checks=app_checks,
        ),
        memories=memories,
        clock=clock,
        instance=context.instance,
    )
    handover = TokenHandover(
        kube=kube,
        credentials=cache,
        store=store,
        memories=memories,
        queue=context.queues.credentials,
        recorder=context.recorder,
    )
    actions = CredentialActions(
        rotation=Rotation(
            clients=TokenClients(oauth=context.oauth, api_factory=context.zoom_api, metrics=context.metrics),
            store=store,
            memories=memories,
            clock=clock,
            instance=context.instance,
            jitter=ports.jitter,
        ),
        identification=Identification(
            api_factory=context.zoom_api,
            refused_tokens=tokens,
            memories=memories,
            store=store,
            handover=handover,
            clock=clock,
        ),
        consents=ConsentConclusion(kube=kube, memories=memories),
        link_keys=link_keys,
        app_checks=app_checks,
        store=store,
        memories=memories,
    )
    reporting = Reporting(
        status=status,
        webhooks=WebhookHealthReporter(
            credentials=cache, status=status, recorder=context.recorder, clock=context.clock
        ),
        recorder=context.recorder,
        metrics=context.metrics,
        access_tokens=tokens,
        public_url=settings.public_url,
    )
    return CredentialReconciler(
        credentials=cache,
        gatherer=gatherer,
        actions=actions,
        reporting=reporting,
        queues=DependentQueues(projections=context.queues.receiver, syncs=context.queues.syncs),
        memories=memories,
        clock=clock,
        sleep=ports.sleep,
    )


def link_signing_keys(context: OperatorContext, *, monotonic: Callable[[], float]) -> LinkKeys:
    """Build the reader of the keys that sign connect links."""
    settings = context.settings
    return LinkKeys(
        kube=context.kube,
        system_namespace=settings.system_namespace,
        public_url=settings.public_url,
        clock=context.clock,
        monotonic=monotonic,
    )


def user_reactivation(
    context: OperatorContext, *, sessions: ZoomSessions, memories: CredentialMemories
) -> UserReactivation:
    """Build the check of removed users."""
    cache = context.caches.credentials
    return UserReactivation(
        credentials=cache,
        sessions=sessions,
        status=CredentialStatusWriter(kube=context.kube, cache=cache),
        memories=memories,
        queues=RemovalQueues(credentials=context.queues.credentials, syncs=context.queues.syncs),
        clock=context.clock,
    )


def receiver_projection(context: OperatorContext) -> ReceiverProjection:
    """Build the reconciler of the receiver's Secret."""
    return ReceiverProjection(
        kube=context.kube,
        credentials=context.caches.credentials,
        queue=context.queues.receiver,
        dependents=context.queues.credentials,
        settings=context.settings,
        clock=context.clock,
        recorder=context.recorder,
    )


def notifier(context: OperatorContext) -> Notifier:
    """Build the sender of notices."""
    cache = context.caches.credentials
    return Notifier(
        credentials=cache,
        webhooks=OutwardWebhooks.of(context),
        status=CredentialStatusWriter(kube=context.kube, cache=cache),
        recorder=context.recorder,
        clock=context.clock,
    )

"""Builds the classes that serve MeetingBots, and gives each only what it uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from meetingbots.bots.manifests.pod import PodSettings
from meetingbots.bots.reconcile.credentials import CredentialReader, MeetingLookup, OnBehalfUsers, WantedTokens
from meetingbots.bots.reconcile.delivery import BotDelivery
from meetingbots.bots.reconcile.gather import BotGatherer
from meetingbots.bots.reconcile.live_label import LiveLabelReconciler
from meetingbots.bots.reconcile.meeting import MeetingReader, PersonalLinks
from meetingbots.bots.reconcile.memory import BotMemories
from meetingbots.bots.reconcile.notifier import BotNotifier
from meetingbots.bots.reconcile.observer import BotObserver
from meetingbots.bots.reconcile.pods import BotPods, DefaultTemplate
from meetingbots.bots.reconcile.reconciler import BotReconciler
from meetingbots.bots.reconcile.token_issuer import TokenIssuer
from meetingbots.bots.reconcile.token_requests import TokenRequests
from meetingbots.bots.rejoin.callers import Callers, PodIdentities
from meetingbots.bots.rejoin.endpoint import EndpointServices
from meetingbots.bots.rejoin.reports import ReportService
from meetingbots.bots.rejoin.service import RejoinService
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.credentials.sessions.zoom_session import ZoomSessions
from meetingbots.mappings.store import MappingWriter
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.outward_webhooks import OutwardWebhooks
from meetingbots.runtime.workers import Controller


@dataclass(frozen=True, kw_only=True)
class BotSlice:
    """The controllers of bots and live mappings, and the services behind the token endpoint."""

    controllers: tuple[Controller[Key], ...]
    endpoint: EndpointServices


def assemble(context: OperatorContext, *, access_tokens: AccessTokens, monotonic: Callable[[], float]) -> BotSlice:
    """The slice of one operator process. `monotonic` returns seconds."""
    kube, caches, clock = context.kube, context.caches, context.clock
    sessions = ZoomSessions(access_tokens=access_tokens, api_factory=context.zoom_api)
    credentials = CredentialReader(cache=caches.credentials)
    wanted = WantedTokens(kube=kube, app_owners=context.app_accounts, credentials=credentials)
    issuer = TokenIssuer(
        requests=TokenRequests(
            sessions=sessions, access_tokens=access_tokens, credentials=credentials, wanted=wanted, clock=clock
        ),
        lookup=MeetingLookup(
            sessions=sessions,
            credentials=credentials,
            mappings=MappingWriter(kube=kube, clock=lambda: clock().timestamp()),
            clock=clock,
            monotonic=monotonic,
        ),
        credentials=credentials,
        clock=clock,
    )
    pod_settings = _pod_settings(context)
    personal_links = PersonalLinks(sessions=sessions, credentials=credentials, monotonic=monotonic)
    meetings = MeetingReader(kube=kube, personal_links=personal_links)
    memories = BotMemories()
    observer = BotObserver(recorder=context.recorder, metrics=context.metrics, bots=caches.bots)
    on_behalf_users = OnBehalfUsers(credentials=credentials, wanted=wanted)
    notifier = BotNotifier(
        kube=kube,
        bots=caches.bots,
        webhooks=OutwardWebhooks.of(context),
        recorder=context.recorder,
        clock=clock,
        enabled=bool(context.settings.allowed_notify_url_hosts),
    )
    gatherer = BotGatherer(
        kube=kube,
        caches=caches,
        meetings=meetings,
        on_behalf_users=on_behalf_users,
        pod_settings=pod_settings,
        notices_due=notifier.holds,
        default_ttl=context.settings.bot_ttl_seconds_after_finished,
    )
    reconciler = BotReconciler(
        kube=kube,
        bots=caches.bots,
        memories=memories,
        gatherer=gatherer,
        pods=BotPods(kube=kube, caches=caches, pod_settings=pod_settings, clock=clock, monotonic=monotonic),
        delivery=BotDelivery(kube=kube, caches=caches, issuer=issuer, clock=clock),
        observer=observer,
        clock=clock,
    )
    identities = PodIdentities(kube=kube, monotonic=monotonic)
    callers = Callers(kube=kube, caches=caches, namespaces=context.settings.namespace, identities=identities)
    tokens = RejoinService(
        callers=callers,
        issuer=issuer,
        kube=kube,
        observer=observer,
        on_behalf_users=on_behalf_users,
        meetings=meetings,
        clock=clock,
        monotonic=monotonic,
    )
    reports = ReportService(
        callers=callers,
        kube=kube,
        bots=caches.bots,
        memories=memories,
        meetings=meetings,
        observer=observer,
        clock=clock,
        monotonic=monotonic,
    )
    live_label = LiveLabelReconciler(kube=kube, caches=caches, clock=clock)
    queues = context.queues
    return BotSlice(
        controllers=(
            Controller(kind="MeetingBot", queue=queues.bots, reconcile=reconciler.reconcile, workers=64, share=48),
            Controller(
                kind="MeetingMapping", queue=queues.meetings, reconcile=live_label.reconcile, workers=8, share=4
            ),
            Controller(
                kind="BotNotice",
                queue=queues.bot_notices,
                reconcile=notifier.reconcile,
                workers=64,
                share=4,
                interruptible=True,
            ),
        ),
        endpoint=EndpointServices(tokens=tokens, reports=reports),
    )


def _pod_settings(context: OperatorContext) -> Callable[[], PodSettings]:
    """The Pods' settings at the time of the call: the default template's file may change."""
    settings, template = context.settings, DefaultTemplate(context.settings.bot_template_file)
    fixed = PodSettings(
        bot_image=settings.bot_image,
        token_url=settings.token_url,
        operator=f"{settings.system_namespace}/{settings.lease_name}",
    )
    return partial(template.complete, fixed)

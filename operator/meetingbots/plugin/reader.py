"""Reads what the plugin explains, with the caller's rights. What the caller may not read is noted, and not an error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from kubernetes.aio.config import ConfigException, list_kube_config_contexts

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.manifests.pod_status import pod_state
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.errors import ForbiddenError, NotFoundError, UnavailableError
from meetingbots.kube.resources import BOTS, CREDENTIALS, EVENTS, MAPPINGS, PODS, Resource
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping

KindT = TypeVar("KindT", MeetingBot, ZoomCredential, MeetingMapping)
_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Occurrence:
    """One Kubernetes Event about an object."""

    time: datetime
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class BotStory:
    """A MeetingBot and what belongs to it. None or empty: it does not exist or cannot be read (see `unread`)."""

    bot: MeetingBot
    mapping: MeetingMapping | None = None
    credentials: tuple[ZoomCredential, ...] = ()
    pod: PodState | None = None
    events: tuple[Occurrence, ...] = ()
    unread: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class CredentialStory:
    """A ZoomCredential and its Events."""

    credential: ZoomCredential
    events: tuple[Occurrence, ...] = ()
    unread: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class MeetingStory:
    """A meeting: its mapping, the namespace's credentials, and the bots for it."""

    meeting_id: str
    mapping: MeetingMapping | None = None
    credentials: tuple[ZoomCredential, ...] = ()
    bots: tuple[MeetingBot, ...] = ()
    unread: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ServerAnswer:
    """The API server's version, and the `Date` header of its answer."""

    version: str
    date: str


@asynccontextmanager
async def open_reader(*, context: str | None, namespace: str | None) -> AsyncIterator[ClusterReader]:
    """A reader of the namespace (default: that of the kubeconfig's context). Raises `ClusterAccessError`."""
    connection = await find_cluster(context=context)
    async with connection.session() as session:
        kube = Kube(session=session, server=connection.server)
        yield ClusterReader(
            kube=kube,
            namespace=namespace or _default_namespace(context),
            ask_server=partial(_server, session, connection.server),
        )


async def _server(session: aiohttp.ClientSession, server: str) -> ServerAnswer:
    try:
        async with session.get(f"{server}/version") as answer:
            content = json.loads(await answer.read())
            return ServerAnswer(str(content["gitVersion"]), answer.headers.get("Date", ""))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"GET /version: {type(error).__name__}") from error


def _default_namespace(context: str | None) -> str:
    if _POD_NAMESPACE.is_file():
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    try:
        contexts, active = list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except ConfigException:
        return "default"
    chosen = next((one for one in contexts if one["name"] == context), active)
    return str((chosen.get("context") or {}).get("namespace") or "default")


@dataclass
class ClusterReader:
    """Reads one namespace. `unread` collects what the caller may not read."""

    kube: Kube
    namespace: str
    ask_server: Callable[[], Awaitable[ServerAnswer]]
    unread: list[str] = field(default_factory=list)

    async def bot_story(self, name: str) -> BotStory | None:
        """A MeetingBot and what belongs to it; None if there is none. Raises `KubeError`."""
        bot = await self._bot(name)
        if bot is None:
            return None
        mapping = await self._mapping(bot.status.meeting_id) if bot.status.meeting_id else None
        credentials = [await self._credential(each) for each in _candidates(bot, mapping)]
        pod = await self._pod(bot.status.pod_name) if bot.status.pod_name else None
        return BotStory(
            bot=bot,
            mapping=mapping,
            credentials=tuple(one for one in credentials if one is not None),
            pod=pod,
            events=await self._events("MeetingBot", name),
            unread=tuple(self.unread),
        )

    async def credential_story(self, name: str) -> CredentialStory | None:
        """A ZoomCredential and its Events; None if there is none. Raises `KubeError`."""
        credential = await self._credential(name)
        if credential is None:
            return None
        events = await self._events("ZoomCredential", name)
        return CredentialStory(credential=credential, events=events, unread=tuple(self.unread))

    async def meeting_story(self, meeting_id: str) -> MeetingStory:
        """A meeting: its mapping, the namespace's credentials, and its bots. Raises `KubeError`."""
        mapping = await self._mapping(meeting_id)
        bots = [_read(MeetingBot, item) for item in await self.list(BOTS)]
        return MeetingStory(
            meeting_id=meeting_id,
            mapping=mapping,
            credentials=tuple(await self.credentials()),
            bots=tuple(bot for bot in bots if bot is not None and bot.status.meeting_id == meeting_id),
            unread=tuple(self.unread),
        )

    async def credentials(self) -> list[ZoomCredential]:
        """All ZoomCredentials of the namespace. Raises `KubeError`."""
        read = [_read(ZoomCredential, item) for item in await self.list(CREDENTIALS)]
        return [one for one in read if one is not None]

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object | None:
        """An object; None if it does not exist or the caller may not read it. Raises `KubeError`."""
        try:
            return await self.kube.get(resource, namespace=namespace or self.namespace, name=name)
        except NotFoundError:
            return None
        except ForbiddenError:
            self._note(f"get {resource.plural}")
            return None

    async def get_cluster_wide(self, resource: Resource, name: str) -> Object | None:
        """A cluster-scoped object; None if it does not exist or the caller may not read it. Raises `KubeError`."""
        try:
            return await self.kube.get(resource, namespace=None, name=name)
        except NotFoundError:
            return None
        except ForbiddenError:
            self._note(f"get {resource.plural}")
            return None

    async def namespaces_with(self, resource: Resource, name: str) -> list[str]:
        """The namespaces that have an object of this name; for an empty name, of any name. Raises `KubeError`."""
        try:
            selector = f"metadata.name={name}" if name else None
            found = self.kube.list(resource, namespace=None, field_selector=selector)
            return sorted({item["metadata"]["namespace"] async for item in found})
        except ForbiddenError:
            self._note(f"list {resource.plural} of all namespaces")
            return []

    async def list(self, resource: Resource, *, field_selector: str | None = None) -> list[Object]:
        """The namespace's objects; none if the caller may not list them. Raises `KubeError`."""
        try:
            found = self.kube.list(resource, namespace=self.namespace, field_selector=field_selector)
            return [item async for item in found]
        except ForbiddenError:
            self._note(f"list {resource.plural}")
            return []

    async def _bot(self, name: str) -> MeetingBot | None:
        item = await self.get(BOTS, name)
        return _read(MeetingBot, item) if item is not None else None

    async def _credential(self, name: str) -> ZoomCredential | None:
        item = await self.get(CREDENTIALS, name)
        return _read(ZoomCredential, item) if item is not None else None

    async def _mapping(self, meeting_id: str) -> MeetingMapping | None:
        item = await self.get(MAPPINGS, meeting_id)
        return _read(MeetingMapping, item) if item is not None else None

    async def _pod(self, name: str) -> PodState | None:
        item = await self.get(PODS, name)
        return pod_state(item) if item is not None else None

    async def _events(self, kind: str, name: str) -> tuple[Occurrence, ...]:
        selector = f"regarding.kind={kind},regarding.name={name}"
        return tuple(
            _occurrence(item) for item in await self.list(EVENTS, field_selector=selector) if _event_time(item)
        )

    def _note(self, what: str) -> None:
        if what not in self.unread:
            self.unread.append(what)


def _candidates(bot: MeetingBot, mapping: MeetingMapping | None) -> list[str]:
    names = [bot.spec.credential_ref.name] if bot.spec.credential_ref is not None else []
    if mapping is not None:
        names += [entry.name for entry in mapping.spec.credentials]
        names += [entry.name for entry in mapping.status.credentials]
    return list(dict.fromkeys(names))


def _read(kind: type[KindT], item: Object) -> KindT | None:
    try:
        return kind.from_object(item)
    except ModelError:
        return None


def _event_time(item: Object) -> str:
    return str(item.get("eventTime") or item.get("deprecatedLastTimestamp") or "")


def _occurrence(item: Object) -> Occurrence:
    time = datetime.fromisoformat(_event_time(item))
    return Occurrence(time, str(item.get("reason", "")), str(item.get("note", "")))

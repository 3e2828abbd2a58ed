"""Builds the slices of an operator process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from meetingbots.bots import assembly as bots_assembly
from meetingbots.bots.rejoin.endpoint import EndpointServices
from meetingbots.credentials import assembly as credentials_assembly
from meetingbots.mappings import assembly as mappings_assembly
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.process.work import Tasks
from meetingbots.runtime.context import OperatorContext


@dataclass(frozen=True, kw_only=True)
class Slices:
    """The tasks of all slices, and the service behind the token endpoint."""

    tasks: Tasks
    endpoint: EndpointServices


def assemble(context: OperatorContext, *, recently_deleted: RecentlyDeletedMappings) -> Slices:
    """Build credentials first: the other slices use their access tokens."""
    credentials = credentials_assembly.assemble(context)
    mappings = mappings_assembly.assemble(
        context,
        ports=mappings_assembly.CredentialPorts(
            sessions=credentials.sessions,
            personal_ids=credentials.personal_ids,
            reactivation=credentials.reactivation,
        ),
        recently_deleted=recently_deleted,
    )
    bots = bots_assembly.assemble(
        context, access_tokens=credentials.access_tokens, monotonic=asyncio.get_running_loop().time
    )
    return Slices(
        tasks=Tasks(
            controllers=(*credentials.controllers, *mappings.controllers, *bots.controllers),
            background=mappings.background,
            finish=credentials.finish,
        ),
        endpoint=bots.endpoint,
    )

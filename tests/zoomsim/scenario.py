"""Scenario files: the initial state of a Zoom as YAML or JSON; also the body of POST /sim/load."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from pydantic import ConfigDict, TypeAdapter

from .sim import Settings, ZoomSim
from .world import Account, App, Meeting, User


@dataclass(frozen=True, kw_only=True)
class ConsentWanted:
    """A consent without a browser; `user` is an id or e-mail, `scopes` fewer than the app asks for."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    client_id: str
    user: str
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class MeetingWanted(Meeting):
    """A meeting with its host by id or e-mail address, and its start also as seconds from now."""

    start_in: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything in the order in which it can be created."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    settings: Settings | None = None
    accounts: tuple[Account, ...] = ()
    users: tuple[User, ...] = ()
    apps: tuple[App, ...] = ()
    consents: tuple[ConsentWanted, ...] = ()
    meetings: tuple[MeetingWanted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Consented:
    """The tokens of one consent, as Zoom's token endpoint gives them."""

    client_id: str
    user_id: str
    access_token: str
    refresh_token: str
    expires_in: int
    scope: str


def read(path: Path) -> Scenario:
    """Read a scenario file; ValueError (pydantic's, with the field's place) when it does not fit."""
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    return TypeAdapter(Scenario).validate_python(content or {})


def load(sim: ZoomSim, scenario: Scenario, *, emit: bool = False) -> list[Consented]:
    """Create all of it; `emit` sends the meetings' webhooks."""
    if scenario.settings is not None:
        sim.settings = scenario.settings
    for account in scenario.accounts:
        sim.actions.add_account(account)
    for user in scenario.users:
        sim.actions.add_user(user)
    for app in scenario.apps:
        sim.actions.add_app(app)
    consented = [consent(sim, wanted) for wanted in scenario.consents]
    for meeting in scenario.meetings:
        add_meeting(sim, meeting, emit=emit)
    return consented


def consent(sim: ZoomSim, wanted: ConsentWanted) -> Consented:
    """Let a user consent and return the tokens."""
    issued = sim.actions.consent(client_id=wanted.client_id, user=wanted.user, scopes=wanted.scopes)
    return Consented(
        client_id=wanted.client_id,
        user_id=issued.access.user_id or "",
        access_token=issued.access.value,
        refresh_token=issued.refresh_token or "",
        expires_in=issued.expires_in,
        scope=" ".join(sorted(issued.access.scopes)),
    )


def add_meeting(sim: ZoomSim, wanted: MeetingWanted, *, operator: str | None = None, emit: bool = True) -> Meeting:
    """Create a meeting from its description; ValueError when it has its start in both forms."""
    if wanted.start_in is not None and wanted.start_time is not None:
        raise ValueError("a meeting has start_time or start_in, not both")
    start = wanted.start_time if wanted.start_in is None else sim.clock.now() + wanted.start_in
    wanted = replace(wanted, host_id=sim.world.user(wanted.host_id).id, start_time=start)
    plain = Meeting(**{name: getattr(wanted, name) for name in Meeting.__dataclass_fields__})
    return sim.actions.add_meeting(plain, operator=operator, emit=emit)

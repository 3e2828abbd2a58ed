"""Rotation never loses a token: killed at every await, raced by a second process, refused by the API server."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import SECRETS

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, Bench, Killed, Operator
from tests.unit.fake_kube import Call


class Fuse:
    """Kills the process at the n-th moment: before or after any call to the API server or to Zoom."""

    def __init__(self, bench: Bench, *, at: int) -> None:
        self.bench = bench
        self.at = at
        self.moments = 0
        self.where = ""
        bench.kube.hook = self.on_kube
        bench.zoom.before = self.on_zoom("before")
        bench.zoom.after = self.on_zoom("after")

    def disarm(self) -> None:
        self.at = 0

    async def on_kube(self, call: Call) -> None:
        self._tick(f"{call.moment} {call.verb} {call.plural}/{call.name}")

    def on_zoom(self, moment: str) -> Callable[[str], Awaitable[httpx.Response | None]]:
        async def tick(path: str) -> httpx.Response | None:
            self._tick(f"{moment} {path}")
            return None

        return tick

    def _tick(self, where: str) -> None:
        if not self.at:
            return
        self.moments += 1
        if self.moments == self.at:
            self.where = where
            raise Killed


async def _live_on(bench: Bench, *, until: Callable[[], bool]) -> Operator:
    """A new process after the kill: looks again as the reconciliation asks, for at most two minutes."""
    operator = bench.operator()
    for _ in range(20):
        after = await operator.look()
        if until():
            break
        assert after is not None
        bench.clock.forward(min(after, 30))
    return operator


def _stored(bench: Bench) -> set[str]:
    """The refresh tokens that the Secret has."""
    state = bench.state
    held = [state.tokens, state.candidate.tokens if state.candidate else None]
    return {tokens.refresh_token.get_secret_value() for tokens in held if tokens and tokens.refresh_token}


def _is_well(bench: Bench) -> bool:
    return bench.ready and bench.works() and bench.state.claim is None


def _interruption_is_told(bench: Bench) -> bool:
    """By Ready where nothing works, by GrantRejected where the earlier consent's access token still does."""
    rejected = bench.condition("GrantRejected") or {}
    return "RotationInterrupted" in (bench.reason, rejected.get("reason"))


async def _first(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()


async def _renewal(bench: Bench) -> None:
    await _first(bench)
    await bench.operator().look()
    bench.clock.forward(2300)


async def _new_consent(bench: Bench) -> None:
    await _first(bench)
    await bench.operator().look()
    # Zoom revokes the earlier tokens when the same user consents again.
    bench.zoom.users.clear()
    bench.consent()


@pytest.mark.parametrize("scenario", [_first, _renewal, _new_consent], ids=["first", "renewal", "new consent"])
async def test_killed_at_every_await_only_zooms_lost_answer_is_lost(
    scenario: Callable[[Bench], Awaitable[None]],
) -> None:
    at, survived, lost_at = 0, False, []
    while not survived:
        at += 1
        bench = Bench()
        await scenario(bench)
        untouched = set(bench.zoom.users)
        fuse = Fuse(bench, at=at)
        try:
            await bench.operator().look()
            survived = True
        except Killed:
            pass
        fuse.disarm()
        rotated = set(bench.zoom.users) - untouched
        lost = bool(rotated) and not rotated & _stored(bench)
        if lost:
            lost_at.append(fuse.where)
            await _live_on(bench, until=partial(_interruption_is_told, bench))
            assert _interruption_is_told(bench), fuse.where
            # and the way out that the message names works
            bench.consent()
            bench.clock.forward(30)
        await _live_on(bench, until=partial(_is_well, bench))
        assert bench.ready, fuse.where
        assert bench.works(), fuse.where
        assert bench.state.claim is None, fuse.where
        assert all(count == 1 for count in bench.zoom.spent.values()), fuse.where
        await bench.close()
    assert at > 10
    # Only between Zoom's work and the store: its answer on the way, and the write before it was done.
    assert lost_at == ["after /oauth/token", f"before patch secrets/{SECRET_NAME}"]


async def test_two_processes_never_spend_one_token_twice(bench: Bench) -> None:
    await _renewal(bench)
    one, other = bench.operator(), bench.operator()

    async def meanwhile(path: str) -> httpx.Response | None:
        bench.zoom.before = None
        after = await other.look()
        assert after is not None
        assert after <= 30
        return None

    bench.zoom.before = meanwhile
    await one.look()
    await other.look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert max(bench.zoom.spent.values()) == 1
    assert bench.works()


async def test_slower_of_two_claims_gives_way(bench: Bench) -> None:
    await _renewal(bench)
    one, other = bench.operator(), bench.operator()
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if (call.moment, call.verb, call.plural) == ("before", "patch", "secrets") and not raced:
            raced = True
            await other.look()

    bench.kube.hook = race
    await one.look()
    assert raced
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.works()


async def test_clock_of_the_claims_holder_does_not_matter(bench: Bench) -> None:
    await _renewal(bench)
    fast = bench.operator()
    bench.zoom.before = _kill
    with pytest.raises(Killed):
        await fast.look()
    bench.zoom.before = None
    bench.clock.forward(-600)  # the survivor's clock is ten minutes behind; then as before
    bench.clock.forward(600)
    survivor = bench.operator()
    asked = len(bench.zoom.asked)
    await survivor.look()
    assert len(bench.zoom.asked) == asked, "it waits for the claim, counted from when it first saw it"
    bench.clock.forward(29)
    await survivor.look()
    assert len(bench.zoom.asked) == asked
    bench.clock.forward(1)
    await survivor.look()
    assert bench.works()


async def test_claim_that_took_long_to_write_is_renewed_before_zoom_is_asked(bench: Bench) -> None:
    await _renewal(bench)
    claims = 0

    async def slow(call: Call) -> None:
        nonlocal claims
        if (call.moment, call.verb, call.plural) == ("after", "patch", "secrets"):
            claims += 1
            if claims == 1:
                bench.clock.forward(29)
                assert bench.zoom.asked.count("/oauth/token") == 1

    operator = bench.operator()
    bench.kube.hook = slow
    await operator.look()
    assert claims == 3
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.works()
    bench.zoom.users.clear()
    bench.clock.forward(2300)
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"


async def test_newer_token_in_the_secret_is_used_after_invalid_grant(bench: Bench) -> None:
    await _renewal(bench)
    operator = bench.operator()

    async def someone_else_was_faster(path: str) -> httpx.Response | None:
        # Another process asked with the same token and stored the answer, whatever our claim said.
        bench.zoom.before = None
        item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        assert item is not None
        other = Bench()
        other.zoom, other.clock = bench.zoom, bench.clock
        del item["metadata"]["annotations"]["meetingbots.dev/refresh-claim"]
        other.kube.put(SECRETS, item)
        other.put_credential()
        process = other.operator()
        await process.look()
        stored = other.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        assert stored is not None
        bench.kube.put(SECRETS, stored)
        await other.close()
        return None

    bench.zoom.before = someone_else_was_faster
    await operator.look()
    assert bench.ready
    assert bench.works()
    assert bench.status["consecutiveFailures"] == 0


@pytest.mark.parametrize("change", ["claim", "tokens"])
async def test_refusal_is_not_written_over_what_another_process_does(bench: Bench, change: str) -> None:
    await _renewal(bench)

    async def taken_over(path: str) -> httpx.Response | None:
        bench.zoom.before = None
        item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        assert item is not None
        if change == "claim":
            claim = item["metadata"]["annotations"]["meetingbots.dev/refresh-claim"]
            theirs = {**json.loads(claim), "id": "theirs", "holder": "another"}
            item["metadata"]["annotations"]["meetingbots.dev/refresh-claim"] = json.dumps(theirs)
        else:
            item["data"]["refresh_token"] = base64.b64encode(bench.zoom.consent().encode()).decode()
        bench.kube.put(SECRETS, item)
        return httpx.Response(400, json={"error": "invalid_grant", "reason": "Invalid Token!"})

    bench.zoom.before = taken_over
    operator = bench.operator()
    await operator.look()
    assert bench.state.rejected_token is None
    assert bench.ready
    if change == "claim":
        assert bench.state.claim is not None
        assert bench.state.claim.id == "theirs"
        assert bench.zoom.asked.count("/oauth/token") == 2
    else:
        assert bench.works()


async def test_grant_that_another_process_redeemed_is_not_refused(bench: Bench) -> None:
    await _first(bench)
    one, other = bench.operator(), bench.operator()

    async def redeemed_by_another(path: str) -> httpx.Response | None:
        bench.zoom.before = None
        bench.kube.remove(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        await other.look()
        return None

    bench.zoom.before = redeemed_by_another
    await one.look()
    assert bench.ready
    assert bench.works()
    assert bench.condition("GrantRejected") is None
    assert bench.state.rejected_grant is None


async def test_lost_answer_is_told_as_such_once_zoom_refuses(bench: Bench) -> None:
    await _renewal(bench)
    operator = bench.operator()

    async def broken(path: str) -> httpx.Response | None:
        raise httpx.ReadTimeout("too slow")

    bench.zoom.after = broken
    await operator.look()
    assert bench.ready, "Zoom may only be away"
    bench.zoom.after = None
    bench.clock.forward(5)
    await operator.look()
    assert bench.reason == "RotationInterrupted"


async def test_revoked_consent_after_an_outage_is_not_told_as_interrupted(bench: Bench) -> None:
    await _renewal(bench)
    operator = bench.operator()

    async def unreachable(path: str) -> httpx.Response | None:
        raise httpx.ConnectError("refused")

    bench.zoom.before = unreachable
    await operator.look()
    bench.zoom.before = None
    bench.zoom.users.clear()
    bench.clock.forward(5)
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"


async def test_no_secret_in_logs_statuses_or_repr(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await _renewal(bench)
    operator = bench.operator()

    async def quote(call: Call) -> None:
        if call.moment == "before" and call.verb == "patch" and len(operator.sleeps) < 2:
            raise UnavailableError(f"webhook quotes {bench.zoom.secrets[-1]}", status=500, reason="InternalError")

    bench.zoom.after = None
    bench.kube.hook = quote
    with pytest.raises(UnavailableError):
        await operator.look()
    operator.sleeps.extend([0, 0])
    await operator.look()
    bench.zoom.users.clear()
    bench.clock.forward(2300)
    await operator.look()
    seen = caplog.text + repr(bench.status) + repr(bench.state) + repr(operator.tokens) + repr(operator.services)
    seen += repr(vars(operator.credentials)) + repr(operator.credentials._memories.of(KEY))
    item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
    assert item is not None
    seen += repr(item["metadata"])
    assert bench.zoom.secrets
    for secret in bench.zoom.secrets:
        assert secret not in seen


async def _kill(path: str) -> httpx.Response | None:
    raise Killed

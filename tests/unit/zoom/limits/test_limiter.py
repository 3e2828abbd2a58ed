"""The limiter before Zoom: calls stay within the share and near it, urgent ones go first, waits are bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.zoom.errors import Cause, TransientError
from meetingbots.zoom.http.calls import Category, Priority, RateReport
from meetingbots.zoom.limits.account_rate import AccountAllowance, RatePlan
from meetingbots.zoom.limits.gate import GatePermit
from meetingbots.zoom.limits.limiter import AccountLimiter

from tests.unit import virtual_time
from tests.unit.virtual_time import turns

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIGHT = Category.LIGHT


def new_limiter(
    *, plan: RatePlan = RatePlan.BUSINESS, share: float = 0.5, waits: list[tuple[str, str, float]] | None = None
) -> AccountLimiter:
    clock = asyncio.get_running_loop().time
    begin = clock()
    return AccountLimiter(
        allowance=lambda _: AccountAllowance(plan=plan, share=share),
        clock=clock,
        utc=lambda: NOON + timedelta(seconds=clock() - begin),
        on_wait=None if waits is None else lambda *wait: waits.append(wait),
    )


async def take(
    limiter: AccountLimiter, *, priority: Priority = Priority.BOT, account: str = "acme", category: Category = LIGHT
) -> GatePermit:
    return await limiter.acquire(account=account, category=category, priority=priority)


def answered(**says: object) -> RateReport:
    return RateReport(category=LIGHT, **says)  # type: ignore[arg-type]


@dataclass
class Zoom:
    """Counts arrivals; a call takes `there` seconds to it and `back` seconds from it."""

    limiter: AccountLimiter
    arrivals: list[float] = field(default_factory=list)

    async def call(self, *, there: float = 0.0, back: float = 0.0, priority: Priority = Priority.BOT) -> None:
        turn = await take(self.limiter, priority=priority)
        try:
            await asyncio.sleep(there)
            self.arrivals.append(asyncio.get_running_loop().time())
            await asyncio.sleep(back)
        finally:
            turn.end(answered())

    def most_in_a_second(self) -> int:
        times = sorted(self.arrivals)
        return max(sum(1 for other in times if time <= other < time + 1.0) for time in times)


def test_a_burst_goes_through_at_the_share_and_not_faster() -> None:
    async def main() -> None:
        zoom = Zoom(new_limiter())
        begin = asyncio.get_running_loop().time()
        await asyncio.gather(*(zoom.call(there=0.01, back=0.01) for _ in range(300)))
        assert zoom.most_in_a_second() == 40
        assert max(zoom.arrivals) - begin < 7 / 0.95  # 40 at once, and 40 more each second

    virtual_time.run(main())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.7), st.floats(0, 0.7)), min_size=1, max_size=40),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_whatever_the_calls_travel_no_second_sees_more_than_the_share(
    calls: list[tuple[float, float, float]], share: float
) -> None:
    async def main() -> None:
        zoom = Zoom(new_limiter(plan=RatePlan.FREE, share=share))

        async def one(after: float, there: float, back: float) -> None:
            await asyncio.sleep(after)
            with contextlib.suppress(TransientError):  # a turn that would have come too late
                await zoom.call(there=there, back=back)

        await asyncio.gather(*(one(*call) for call in calls))
        assert zoom.arrivals
        assert zoom.most_in_a_second() <= max(1, int(4 * share))

    virtual_time.run(main())


@pytest.mark.parametrize(("there", "back"), [(0.002, 0.001), (0.01, 0.01), (0.1, 0.1)])
def test_a_steady_line_of_any_length_costs_at_most_a_twentieth(there: float, back: float) -> None:
    async def main() -> None:
        zoom = Zoom(new_limiter(share=1.0))
        began = asyncio.get_running_loop().time()

        async def worker() -> None:
            while asyncio.get_running_loop().time() < began + 30:
                await zoom.call(there=there, back=back)

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(worker())
        times = sorted(time for time in zoom.arrivals if time >= began + 15)
        assert 800 / (80 * (times[800] - times[0])) >= 0.95
        assert zoom.most_in_a_second() <= 80

    virtual_time.run(main())


def test_each_account_and_category_has_its_own_gate() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE)
        begin = asyncio.get_running_loop().time()
        for account in ("acme", "other"):
            for category, calls in ((LIGHT, 2), (Category.MEDIUM, 1)):
                for _ in range(calls):
                    (await take(limiter, account=account, category=category)).end(None)
        assert asyncio.get_running_loop().time() == begin

    virtual_time.run(main())


async def in_order(limiter: AccountLimiter, wanted: Sequence[tuple[str, Priority]]) -> list[str]:
    """The names in the order of their turns, asked for in this order while nothing is free."""
    done: list[str] = []

    async def one(name: str, priority: Priority) -> None:
        turn = await take(limiter, priority=priority)
        done.append(name)
        turn.end(answered())

    async with asyncio.TaskGroup() as group:
        for name, priority in wanted:
            group.create_task(one(name, priority))
            await turns()
    return done


def test_the_urgent_go_first_and_among_equals_the_first() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        (await take(limiter)).end(answered())
        wanted = [
            ("sync 1", Priority.SYNC),
            ("sync 2", Priority.SYNC),
            ("refresh 1", Priority.CREDENTIAL),
            ("bot 1", Priority.BOT),
            ("refresh 2", Priority.CREDENTIAL),
            ("bot 2", Priority.BOT),
        ]
        assert await in_order(limiter, wanted) == ["bot 1", "bot 2", "refresh 1", "refresh 2", "sync 1", "sync 2"]

    virtual_time.run(main())


def test_a_cancelled_wait_passes_its_permit_on() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        first = await take(limiter)
        waiting = [asyncio.create_task(take(limiter)) for _ in range(3)]
        await turns()
        waiting[0].cancel()
        await turns()
        first.end(answered())
        begin = asyncio.get_running_loop().time()
        (await waiting[1]).end(answered())
        assert asyncio.get_running_loop().time() - begin == pytest.approx(1.0)
        (await waiting[2]).end(answered())
        assert waiting[0].cancelled()

    virtual_time.run(main())


def test_a_wait_that_is_cancelled_with_its_permit_passes_it_on() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        first = await take(limiter)
        chosen, other = (asyncio.create_task(take(limiter)) for _ in range(2))
        await turns()
        begin = asyncio.get_running_loop().time()
        first.withdraw()  # the turn is chosen's now, who has not run since
        chosen.cancel()
        turn = await other
        assert asyncio.get_running_loop().time() == begin
        assert chosen.cancelled()
        turn.end(answered())

    virtual_time.run(main())


def test_a_call_that_would_wait_too_long_fails_at_once_with_the_time_to_retry() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        begin = asyncio.get_running_loop().time()
        waiting = [asyncio.create_task(take(limiter)) for _ in range(11)]
        await turns()
        with pytest.raises(TransientError) as refused:
            await take(limiter)
        assert asyncio.get_running_loop().time() == begin
        assert refused.value.kind is Cause.RATE_LIMITED
        assert not refused.value.daily
        assert refused.value.retry_after == pytest.approx(11.0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    virtual_time.run(main())


def test_a_wait_beyond_the_patience_fails() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        never_answered = await take(limiter)
        begin = asyncio.get_running_loop().time()
        with pytest.raises(TransientError) as refused:
            await take(limiter)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(10.0)
        assert refused.value.retry_after == pytest.approx(1.0)
        never_answered.end(None)
        never_answered.end(None)
        (await take(limiter)).end(answered())

    virtual_time.run(main())


def test_a_429_holds_everybody_back_for_as_long_as_zoom_says() -> None:
    async def main() -> None:
        limiter = new_limiter()
        begin = asyncio.get_running_loop().time()
        (await take(limiter)).end(answered(limited=True, retry_after=3.0))
        turn = await take(limiter)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(3.0)
        turn.end(answered(limited=True, retry_after=300.0))
        with pytest.raises(TransientError) as refused:
            await take(limiter)
        assert refused.value.retry_after == pytest.approx(300.0)
        await asyncio.sleep(300)
        (await take(limiter)).end(answered())

    virtual_time.run(main())


def test_who_waits_when_the_pause_gets_too_long_is_sent_away_at_once() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        first = await take(limiter)
        waiting = asyncio.create_task(take(limiter))
        await turns()
        first.end(answered(limited=True, retry_after=60.0))
        begin = asyncio.get_running_loop().time()
        with pytest.raises(TransientError) as refused:
            await waiting
        assert asyncio.get_running_loop().time() == begin
        assert refused.value.retry_after == pytest.approx(60.0)

    virtual_time.run(main())


def test_calls_fail_at_once_until_a_used_up_day_is_over() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        first = await take(limiter)
        waiting = asyncio.create_task(take(limiter))
        await turns()
        first.end(answered(limited=True, daily=True, retry_after=NOON + timedelta(hours=2)))
        for late in (waiting, asyncio.create_task(take(limiter))):
            with pytest.raises(TransientError) as refused:
                await late
            assert refused.value.daily
            assert refused.value.retry_after == NOON + timedelta(hours=2)
        (await take(limiter, category=Category.MEDIUM)).end(None)
        await asyncio.sleep(2 * 3600)
        (await take(limiter)).end(answered())

    virtual_time.run(main())


def test_a_free_account_s_day_ends_with_its_share_of_6000_light_calls() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25)
        for _ in range(1500):
            (await take(limiter)).end(answered())
        with pytest.raises(TransientError) as refused:
            await take(limiter)
        assert refused.value.daily
        assert refused.value.retry_after == datetime(2026, 11, 25, tzinfo=UTC)

    virtual_time.run(main())


def test_a_call_that_zoom_counts_in_another_category_takes_a_place_there() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE)
        begin = asyncio.get_running_loop().time()
        (await take(limiter)).end(RateReport(category=Category.MEDIUM))
        (await take(limiter, category=Category.MEDIUM)).end(None)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(1.0)

    virtual_time.run(main())


def test_a_changed_allowance_counts_within_a_second() -> None:
    async def main() -> None:
        granted = {"share": 1.0}
        clock = asyncio.get_running_loop().time
        limiter = AccountLimiter(
            allowance=lambda _: AccountAllowance(plan=RatePlan.FREE, share=granted["share"]),
            clock=clock,
            utc=lambda: NOON,
        )
        (await take(limiter)).end(answered())
        granted["share"] = 0.25
        await asyncio.sleep(1.0)
        begin = clock()
        for _ in range(2):
            (await take(limiter)).end(answered())
        assert clock() - begin == pytest.approx(1.0)

    virtual_time.run(main())


def test_the_waiting_is_measured() -> None:
    async def main() -> None:
        waits: list[tuple[str, str, float]] = []
        limiter = new_limiter(plan=RatePlan.FREE, share=0.25, waits=waits)
        for _ in range(2):
            (await take(limiter)).end(answered())
        assert waits == [("Light", "Bot", 0.0), ("Light", "Bot", pytest.approx(1.0))]

    virtual_time.run(main())


def test_gates_of_unused_accounts_are_dropped() -> None:
    async def main() -> None:
        limiter = new_limiter()
        for number in range(100):
            (await take(limiter, account=f"account-{number}")).end(answered())
        open_permit = await take(limiter, account="open")
        paused = await take(limiter, account="paused")
        paused.end(answered(limited=True, retry_after=3600.0))
        assert len(limiter) == 102
        await asyncio.sleep(601)
        (await take(limiter)).end(answered())
        assert len(limiter) == 3, "an open call, a pause that Zoom asked for, and the account in use stay"
        open_permit.end(answered())

    virtual_time.run(main())


def test_the_daily_count_of_a_free_plan_outlives_idle_hours() -> None:
    async def main() -> None:
        limiter = new_limiter(plan=RatePlan.FREE, share=0.001)
        for _ in range(6):
            (await take(limiter)).end(answered())
            await asyncio.sleep(1200)
        with pytest.raises(TransientError) as refused:
            await take(limiter)
        assert refused.value.daily

    virtual_time.run(main())

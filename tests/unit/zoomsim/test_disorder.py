"""Events that arrive twice or late, and the times at which they are sent again."""

import random

from tests.unit.zoomsim.simulator_harness import START, SimulatorHarness, until
from tests.zoomsim.disorder import Disorder
from tests.zoomsim.webhooks import Delivery


def delays(seed: int) -> list[tuple[float, ...]]:
    disorder = Disorder(chance=random.Random(seed))
    return [disorder.delays(1) for _ in range(200)]


def test_a_seed_draws_the_same_disorder_again() -> None:
    assert delays(1) == delays(1)
    assert delays(1) != delays(2)


def test_some_events_are_doubled_and_some_late() -> None:
    drawn = delays(1)
    assert {len(one) for one in drawn} == {1, 2}
    late = [delay for one in drawn for delay in one if delay]
    assert late
    assert max(late) <= 3.0


def always(seed: int) -> Disorder:
    return Disorder(chance=random.Random(seed), doubled=1.0, late=1.0, most_seconds=20.0)


async def test_the_disorder_doubles_and_delays_what_webhooks_send(zoom: SimulatorHarness) -> None:
    deliveries = emit(zoom, always(1))

    def sent() -> bool:
        zoom.sim.clock.advance(1)
        return all(one.attempts for one in deliveries)

    await until(sent)
    late = [one.attempts[0].time - START for one in deliveries]
    assert all(actual >= drawn for actual, drawn in zip(late, always(1).delays(1), strict=True))


async def test_webhooks_are_sent_again_at_the_times_that_are_set(zoom: SimulatorHarness) -> None:
    zoom.sim.webhooks.retry_after_seconds = (2.0,)
    (delivery,) = emit(zoom, None)
    await until(lambda: len(delivery.attempts) == 1)
    zoom.sim.clock.advance(2)
    await until(lambda: delivery.state == "dropped")
    assert [attempt.time - START for attempt in delivery.attempts] == [0, 2]


def emit(zoom: SimulatorHarness, disorder: Disorder | None) -> list[Delivery]:
    """Send an event to a port on which nobody listens."""
    zoom.sim.actions.update_app(zoom.app.client_id, {"webhook_url": "http://127.0.0.1:1/hook"})
    zoom.consent()
    zoom.sim.webhooks.disorder = disorder
    return zoom.sim.actions.emit("meeting.started", {}, user=zoom.alice)

"""Ten thousand credentials do not act at one instant: looks and renewals are spread, each at its own place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from meetingbots.credentials.decide.plan import decide
from meetingbots.credentials.decide.token_changes import obtained
from meetingbots.models.credential import ZoomCredential
from meetingbots.zoom.oauth import TokenSet
from pydantic import SecretStr

from tests.unit.credentials.decide.credential_cases import NOW, credential, facts, healthy, tokens

COUNT = 10_000


def peak(moments: Iterable[float], *, width: float, span: float) -> float:
    """The fullest piece of `width` seconds against the mean over `span`."""
    bins = Counter(int(moment // width) for moment in moments)
    return max(bins.values()) / (sum(bins.values()) * width / span)


def numbered(number: int) -> ZoomCredential:
    known = credential()
    return known.model_copy(update={"metadata": known.metadata.model_copy(update={"name": f"alice-{number}"})})


def test_looks_of_healthy_credentials_are_spread_over_ten_minutes() -> None:
    fresh = healthy(tokens=tokens(left=3500))
    given = [facts(fresh, credential=numbered(number)) for number in range(COUNT)]
    afters = [decide(one).requeue_after or 0 for one in given]
    assert all(decide(one).action is None for one in given[:100])
    assert max(afters) <= 600
    assert peak(afters, width=10, span=600) < 1.5
    assert peak(afters, width=1, span=600) < 3


def test_a_credential_keeps_its_place_from_look_to_look() -> None:
    first = decide(facts(healthy(tokens=tokens(left=3500)), credential=numbered(1))).requeue_after or 0
    later = facts(healthy(tokens=tokens(left=3500)), credential=numbered(1), now=NOW + timedelta(seconds=first + 0.01))
    assert 590 <= (decide(later).requeue_after or 0) <= 600


def test_renewals_of_tokens_of_one_moment_are_spread() -> None:
    got = TokenSet(
        access_token=SecretStr("a"),
        refresh_token=SecretStr("r"),
        expires_at=NOW + timedelta(seconds=3600),
        token_type="bearer",
        scopes=(),
        api_url="",
    )
    chance = random.Random(7)
    planned = [obtained(got, previous=None, now=NOW, jitter=chance.random()).next_refresh for _ in range(COUNT)]
    seconds = [(moment - NOW).total_seconds() for moment in planned if moment is not None]
    assert 2160 <= min(seconds) < 2165
    assert 2395 < max(seconds) <= 2400
    assert peak(seconds, width=10, span=240) < 1.5

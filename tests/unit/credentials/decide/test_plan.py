from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from meetingbots.credentials.decide.facts import Absent, CredentialFacts, GrantFound, GrantUnserved, RequestKind
from meetingbots.credentials.decide.granted import Proof
from meetingbots.credentials.decide.plan import (
    CLAIM_SECONDS,
    CorrectOwners,
    CredentialAction,
    IdentifyUser,
    RedeemGrant,
    RefreshTokens,
    StoreTokens,
    decide,
)
from meetingbots.credentials.decide.token_state import (
    Candidate,
    Rejection,
    SecretConflict,
    TokenSlot,
    TokenState,
    mark_of,
)
from meetingbots.models.credential import CredentialReason

from tests.unit.credentials.decide.credential_cases import (
    NOW,
    claim,
    credential,
    facts,
    failure,
    healthy,
    tokens,
    unsaved,
)

REDEEM = RedeemGrant()
REFRESH = RefreshTokens()
IDENTIFY = IdentifyUser()
IDENTIFY_CANDIDATE = IdentifyUser(TokenSlot.CANDIDATE)
REDEEM_CANDIDATE = RedeemGrant(TokenSlot.CANDIDATE)
PROOF = Proof(user_id="u-1", account_id="a-1")
REQUEST = {"meetingbots.dev/refresh-requested-at": "now"}
NOTHING = TokenState()
DUE = healthy(tokens=tokens(left=1000))
NEW_GRANT = GrantFound(fingerprint="grant-2")
CANDIDATE = healthy(candidate=Candidate(tokens=tokens(refresh="new"), fingerprint="grant-2"))


def rejected(reason: str = "ReauthorizationRequired", *, mark: str = "", client_id: str = "client") -> Rejection:
    return Rejection(mark=mark or tokens().mark, client_id=client_id, reason=reason)


@pytest.mark.parametrize(
    ("given", "action"),
    [
        (facts(), None),
        (facts(secret=None), REDEEM),
        (facts(NOTHING), REDEEM),
        (facts(secret=None, app=Absent(message="no app")), None),
        (facts(secret=None, grant=Absent(message="no grant")), None),
        (facts(secret=None, grant=GrantUnserved(message="not yet")), None),
        (facts(secret=None, credential=credential(suspend=True)), None),
        (facts(secret=SecretConflict(message="not ours")), None),
        (facts(DUE), REFRESH),
        (facts(DUE, credential=credential(suspend=True)), None),
        (facts(DUE, app=Absent(message="no app")), None),
        (facts(DUE, grant=Absent(message="its Secret is gone")), REFRESH),
        (facts(DUE, grant=GrantUnserved(message="changed to connect")), REFRESH),
        (facts(healthy(tokens=tokens(expires_at=None))), REFRESH),
        (facts(healthy(tokens=tokens(next_refresh=None))), REFRESH),
        (facts(healthy(tokens=tokens(last_refresh=None))), REFRESH),
        (facts(healthy(user_id="")), IDENTIFY),
        (facts(credential=credential(status={})), IDENTIFY),
        (facts(credential=credential(status={}), proof=PROOF), None),
        (facts(healthy(user_id=""), failures={RequestKind.IDENTITY: failure()}), None),
        (facts(grant=NEW_GRANT), REDEEM_CANDIDATE),
        (facts(healthy(user_id=""), grant=NEW_GRANT), REDEEM),
        (facts(CANDIDATE, grant=NEW_GRANT), IDENTIFY_CANDIDATE),
        (facts(CANDIDATE, grant=GrantFound(fingerprint="grant-3")), IDENTIFY_CANDIDATE),
        (
            facts(healthy(candidate=Candidate(tokens=tokens(left=-1), fingerprint="grant-2")), grant=NEW_GRANT),
            RefreshTokens(TokenSlot.CANDIDATE),
        ),
        (facts(healthy(rejected_grant=rejected(mark="grant-2")), grant=NEW_GRANT), None),
        (facts(healthy(rejected_grant=rejected(mark="grant-2", client_id="app-2")), grant=NEW_GRANT), REDEEM_CANDIDATE),
        (facts(TokenState(rejected_grant=rejected(mark="grant-1"))), None),
        (
            facts(TokenState(rejected_grant=rejected(mark="grant-1")), credential=credential(annotations=REQUEST)),
            REDEEM,
        ),
        (facts(healthy(tokens=tokens(left=1000), rejected_token=rejected())), None),
        (facts(healthy(tokens=tokens(left=1000), rejected_token=rejected(client_id="other app"))), REFRESH),
        (facts(healthy(tokens=tokens(left=1000), rejected_token=rejected(mark="older"))), REFRESH),
        (facts(healthy(rejected_token=rejected()), grant=NEW_GRANT), REDEEM_CANDIDATE),
        (facts(DUE, failures={RequestKind.TOKENS: failure()}), None),
        (facts(DUE, failures={RequestKind.TOKENS: failure(wait=0)}), REFRESH),
        (facts(DUE, failures={RequestKind.GRANT: failure()}), REFRESH),
        (facts(secret=None, failures={RequestKind.GRANT: failure()}), None),
        (facts(credential=credential(annotations=REQUEST)), REFRESH),
        (facts(healthy(handled_refresh="now"), credential=credential(annotations=REQUEST)), None),
        (facts(credential=credential(annotations=REQUEST), failures={RequestKind.TOKENS: failure()}), REFRESH),
        (
            facts(
                credential=credential(annotations=REQUEST),
                failures={RequestKind.TOKENS: failure()},
                tried_request="now",
            ),
            None,
        ),
        (
            facts(
                healthy(tokens=tokens(refresh=None, left=1000)),
                grant=GrantFound(fingerprint="grant-1", renewable=True),
            ),
            REFRESH,
        ),
        (facts(healthy(tokens=tokens(refresh=None, left=-1))), REDEEM_CANDIDATE),
        (facts(unsaved=unsaved(healthy())), StoreTokens()),
        (facts(DUE, unsaved=unsaved(DUE), unsaved_retry_at=NOW + timedelta(seconds=2)), None),
        (facts(DUE, unsaved=unsaved(DUE), credential=credential(suspend=True)), StoreTokens()),
        (facts(credential=credential(tokenDeletionPolicy="Delete")), CorrectOwners()),
        (facts(refused_token=mark_of(tokens().access_token)), REFRESH),
        (facts(refused_token=mark_of(tokens(access="older").access_token)), None),
        (
            facts(
                healthy(tokens=tokens(last_refresh=NOW - timedelta(seconds=9))),
                refused_token=mark_of(tokens().access_token),
            ),
            None,
        ),
    ],
)
def test_action(given: CredentialFacts, action: CredentialAction | None) -> None:
    assert decide(given).action == action


ON_DEMAND = credential(refreshPolicy="OnDemand")


@pytest.mark.parametrize(
    ("given", "action"),
    [
        (facts(DUE, credential=ON_DEMAND), None),
        (facts(healthy(tokens=tokens(left=-1)), credential=ON_DEMAND), None),
        (facts(healthy(tokens=tokens(left=-1)), credential=ON_DEMAND, wanted=True), REFRESH),
        (facts(DUE, credential=ON_DEMAND, wanted=True), None),
        (facts(healthy(tokens=tokens(left=59)), credential=ON_DEMAND, wanted=True), REFRESH),
        (facts(healthy(tokens=tokens(left=3600 - 26 * 86400)), credential=ON_DEMAND), None),
        (facts(healthy(tokens=tokens(left=3600 - 30 * 86400)), credential=ON_DEMAND), REFRESH),
    ],
)
def test_on_demand(given: CredentialFacts, action: CredentialAction | None) -> None:
    assert decide(given).action == action


@pytest.mark.parametrize(
    ("held", "seen", "action"),
    [
        ({}, 0.0, None),
        ({}, CLAIM_SECONDS - 1, None),
        ({}, CLAIM_SECONDS, REFRESH),
        ({"open": False}, 0.0, REFRESH),
        ({"holder": "me"}, 0.0, REFRESH),
    ],
    ids=["just seen", "nearly over", "over", "ended", "ours"],
)
def test_claims_of_others_are_respected_for_a_while(
    held: dict[str, Any], seen: float, action: CredentialAction | None
) -> None:
    given = facts(healthy(tokens=tokens(left=1000), claim=claim(**held)), claim_age=seen)
    assert decide(given).action == action


def test_claim_holds_up_first_consents_too_and_says_when_to_look_again() -> None:
    given = facts(TokenState(claim=claim(mark="grant-1")), claim_age=10)
    plan = decide(given)
    assert plan.action is None
    assert plan.requeue_after == 20


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (facts(secret=None, app=Absent(message="no app")), 30),
        (facts(app=Absent(message="no app")), 30),
        (facts(DUE, failures={RequestKind.TOKENS: failure(wait=7)}), 7),
        (facts(DUE, failures={RequestKind.TOKENS: failure(wait=500)}), 30),
        (facts(healthy(tokens=tokens(left=1310))), 10),
    ],
)
def test_looks_again(given: CredentialFacts, after: float) -> None:
    assert decide(given).requeue_after == pytest.approx(after)


def test_healthy_credentials_look_again_at_their_own_places_within_ten_minutes() -> None:
    def at(name: str, passed: float) -> float:
        given = facts(healthy(tokens=tokens(left=100_000)), now=NOW + timedelta(seconds=passed))
        metadata = given.credential.metadata.model_copy(update={"name": name})
        given = facts(
            healthy(tokens=tokens(left=100_000)),
            credential=given.credential.model_copy(update={"metadata": metadata}),
            now=NOW + timedelta(seconds=passed),
        )
        return decide(given).requeue_after or 0.0

    delays = sorted(at(f"user-{number}", 0) for number in range(1000))
    assert delays[0] > 0
    assert delays[-1] <= 600
    for tenth in range(10):
        assert 60 < sum(1 for delay in delays if tenth * 60 <= delay < (tenth + 1) * 60) < 140
    # a restart does not move a credential's place
    first = at("user-1", 0)
    assert at("user-1", first / 2) == pytest.approx(first / 2)


def test_the_next_refresh_is_shown_unless_someone_must_fix_something() -> None:
    assert decide(facts()).status.next_refresh_time == tokens().next_refresh
    waiting = facts(DUE, failures={RequestKind.TOKENS: failure(wait=60)})
    assert decide(waiting).status.next_refresh_time == NOW + timedelta(seconds=60)
    mending = facts(DUE, failures={RequestKind.TOKENS: failure(CredentialReason.APP_INVALID)})
    assert decide(mending).status.next_refresh_time is None
    assert decide(facts(secret=None, app=Absent(message="no app"))).status.next_refresh_time is None


def test_missing_scopes_are_asked_for_less_and_less_often() -> None:
    def due(since: timedelta, last: timedelta) -> bool:
        condition = {
            "type": "Ready",
            "status": "False",
            "reason": "ScopesMissing",
            "message": "",
            "lastTransitionTime": (NOW - since).isoformat(),
        }
        held = tokens(scope="user:read:user", last_refresh=NOW - last, next_refresh=NOW + timedelta(minutes=30))
        given = facts(healthy(tokens=held), credential=credential(status={"userId": "u-1", "conditions": [condition]}))
        return decide(given).action == REFRESH

    assert not due(timedelta(minutes=1), timedelta(seconds=44))
    assert due(timedelta(minutes=1), timedelta(seconds=45))
    assert not due(timedelta(hours=1), timedelta(minutes=5))
    assert due(timedelta(hours=1), timedelta(minutes=6))
    assert due(timedelta(days=30), timedelta(hours=1))

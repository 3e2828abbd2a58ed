from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from meetingbots.credentials.decide.facts import Absent, CredentialFacts, GrantFound, GrantUnserved, RequestKind
from meetingbots.credentials.decide.granted import Proof
from meetingbots.credentials.decide.status import status_of
from meetingbots.credentials.decide.token_state import Rejection
from meetingbots.credentials.status_writer import StatusManager, owned_part
from meetingbots.models.credential import CredentialReason as Reason
from meetingbots.zoom.resources import User

from tests.unit.credentials.decide.credential_cases import NOW, SCOPES, credential, facts, failure, healthy, tokens

PROOF = Proof(user_id="u-1", account_id="a-1", scope=SCOPES)
USER = User(id="u-1", account_id="a-1", email="a@b.test", pmi="5551234567", status="", type=2, vanity_url="")


def written(given: CredentialFacts, *, user: User | None = None) -> dict[str, Any]:
    status = status_of(replace(given, user=user), next_refresh=given.now)
    return owned_part(status, manager=StatusManager.TOKENS)


def types(status: dict[str, Any]) -> dict[str, str]:
    return {item["type"]: item["reason"] for item in status["conditions"]}


def test_identity_comes_with_the_user_and_stays_with_the_status() -> None:
    new = written(facts(credential=credential(status={}), proof=PROOF), user=USER)
    assert (new["userId"], new["accountId"], new["email"], new["pmi"]) == ("u-1", "a-1", "a@b.test", "5551234567")
    later = written(facts(credential=credential(status=new)))
    assert (later["userId"], later["email"], later["pmi"]) == ("u-1", "a@b.test", "5551234567")
    unknown = written(facts(credential=credential(status={})))
    assert "userId" not in unknown
    assert "email" not in unknown


def test_another_users_identity_is_not_shown_as_the_credentials() -> None:
    other = User(id="u-2", account_id="a-2", email="m@b.test", pmi=None, status="", type=2, vanity_url="")
    shown = written(
        facts(credential=credential(status={"userId": "u-1", "accountId": "a-1", "email": "a@b.test"})), user=other
    )
    assert (shown["userId"], shown["email"]) == ("u-1", "a@b.test")


def test_times_mirror_the_secret() -> None:
    status = written(facts())
    assert status["expiresAt"] == "2026-11-24T12:50:00Z"
    assert status["lastRefreshTime"] == "2026-11-24T11:50:00Z"
    assert status["nextRefreshTime"] == "2026-11-24T12:00:00Z"
    assert status["observedGeneration"] == 3


def test_conditions_of_kstatus_are_there_only_while_true() -> None:
    assert types(written(facts())) == {"Ready": "TokenValid"}
    waiting = written(facts(secret=None, failures={RequestKind.GRANT: failure()}))
    assert types(waiting) == {"Ready": "ZoomUnavailable", "Reconciling": "ZoomUnavailable"}
    unserved = written(facts(secret=None, grant=GrantUnserved(message="Not served.")))
    assert types(unserved) == {"Ready": "AppInvalid", "Stalled": "AppInvalid"}
    suspended = written(facts(credential=credential(suspend=True)))
    assert types(suspended) == {"Ready": "Suspended"}
    healed = written(facts(credential=credential(status=waiting), proof=PROOF))
    assert types(healed) == {"Ready": "TokenValid"}


def test_transition_time_moves_only_with_the_status() -> None:
    first = written(facts())
    given = facts(credential=credential(status=first), now=NOW + timedelta(minutes=5))
    second = written(given)
    assert second["conditions"] == first["conditions"]
    over = facts(healthy(tokens=tokens(left=-1)), credential=credential(status=first), now=NOW + timedelta(minutes=9))
    assert written(over)["conditions"][0]["lastTransitionTime"] == "2026-11-24T12:09:00Z"


def test_rejected_grant_is_shown_beside_ready() -> None:
    rejection = Rejection(mark="grant-2", client_id="client", reason=Reason.USER_MISMATCH, message="Another user.")
    given = facts(healthy(rejected_grant=rejection), grant=GrantFound(fingerprint="grant-2"))
    assert types(written(given)) == {"Ready": "TokenValid", "GrantRejected": "UserMismatch"}
    back = facts(healthy(rejected_grant=rejection), grant=GrantFound(fingerprint="grant-1"))
    assert types(written(back)) == {"Ready": "TokenValid"}
    inactive = facts(
        grant=GrantFound(fingerprint="grant-2"), failures={RequestKind.GRANT: failure(Reason.USER_INACTIVE)}
    )
    assert types(written(inactive)) == {"Ready": "TokenValid", "GrantRejected": "UserInactive"}
    away = facts(grant=GrantFound(fingerprint="grant-2"), failures={RequestKind.GRANT: failure()})
    assert types(written(away)) == {"Ready": "TokenValid"}


def test_an_unserved_grant_is_shown_while_the_earlier_tokens_are_valid() -> None:
    status = written(facts(grant=GrantUnserved(message="The host is not allowed.")))
    assert types(status) == {"Ready": "TokenValid", "GrantRejected": "AppInvalid"}
    [rejected] = [one for one in status["conditions"] if one["type"] == "GrantRejected"]
    words = "The grant is not used: The host is not allowed. The tokens of the earlier consent stay in use."
    assert rejected["message"] == words


def test_what_is_too_long_for_the_status_is_cut() -> None:
    scopes = " ".join(f"scope{number}:{'x' * 300}" for number in range(600))
    status = written(facts(healthy(tokens=tokens(scope=scopes), user_id="u" * 200), credential=credential(status={})))
    assert len(status["grantedScopes"]) == 512
    assert max(map(len, status["grantedScopes"])) == 256


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (facts(failures={RequestKind.TOKENS: failure(Reason.APP_INVALID)}), "AppInvalid"),
        (facts(failures={RequestKind.TOKENS: failure(Reason.SCOPES_MISSING)}), "ScopesMissing"),
        (facts(app=Absent(message="The app's Secret zoom-app does not exist.")), "AppSecretMissing"),
        (facts(app=Absent(message="Too long.", unfit=True)), "AppInvalid"),
    ],
)
def test_a_refused_refresh_is_reported_while_the_token_lives(given: CredentialFacts, reason: str) -> None:
    status = written(given)
    assert types(status) == {"Ready": "TokenValid", "Reconciling": reason}
    [message] = [one["message"] for one in status["conditions"] if one["type"] == "Reconciling"]
    assert "cannot be refreshed" in message
    assert message.endswith("Ready turns False at 2026-11-24T12:50:00Z.")


def test_a_failure_that_may_pass_is_not_reported_as_a_refusal() -> None:
    assert types(written(facts(failures={RequestKind.TOKENS: failure()}))) == {"Ready": "TokenValid"}

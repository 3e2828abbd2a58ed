from __future__ import annotations

import pytest
from meetingbots.credentials.decide.facts import Absent, CredentialFacts, GrantFound, GrantUnserved, RequestKind
from meetingbots.credentials.decide.ready import ready
from meetingbots.credentials.decide.token_state import Rejection, SecretConflict, TokenState, mark_of
from meetingbots.models.credential import CredentialReason as Reason

from tests.unit.credentials.decide.credential_cases import claim, credential, facts, failure, healthy, tokens, unsaved

OVER = healthy(tokens=tokens(left=-1))
NOTHING = TokenState()


def rejected(reason: Reason, mark: str = "") -> Rejection:
    return Rejection(mark=mark or tokens().mark, client_id="client", reason=reason, message="Zoom said no.")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (facts(), Reason.TOKEN_VALID),
        (facts(healthy(tokens=tokens(left=1000))), Reason.TOKEN_VALID),
        (facts(healthy(claim=claim())), Reason.TOKEN_VALID),
        (facts(failures={RequestKind.TOKENS: failure()}), Reason.TOKEN_VALID),
        (facts(failures={RequestKind.TOKENS: failure(Reason.APP_INVALID)}), Reason.TOKEN_VALID),
        (facts(failures={RequestKind.GRANT: failure(Reason.USER_INACTIVE)}), Reason.TOKEN_VALID),
        (facts(app=Absent(message="no app")), Reason.TOKEN_VALID),
        (facts(grant=Absent(message="no grant")), Reason.TOKEN_VALID),
        (facts(grant=GrantUnserved(message="connect")), Reason.TOKEN_VALID),
        (facts(unsaved=unsaved(healthy())), Reason.TOKEN_VALID),
        (facts(refused_token=mark_of(tokens().access_token)), Reason.TOKEN_VALID),
        (
            facts(refused_token=mark_of(tokens().access_token), failures={RequestKind.TOKENS: failure()}),
            Reason.ZOOM_UNAVAILABLE,
        ),
        (facts(credential=credential(suspend=True)), Reason.SUSPENDED),
        (facts(secret=SecretConflict(message="not ours")), Reason.SECRET_CONFLICT),
        (facts(OVER, unsaved=unsaved(OVER), unsaved_problem="403 Forbidden"), Reason.SECRET_CONFLICT),
        (facts(OVER, app=Absent(message="no app")), Reason.APP_SECRET_MISSING),
        (facts(secret=None, app=Absent(message="no app"), grant=Absent(message="no")), Reason.APP_SECRET_MISSING),
        (facts(secret=None, grant=Absent(message="no grant")), Reason.GRANT_SECRET_MISSING),
        (facts(OVER, grant=Absent(message="no"), failures={RequestKind.TOKENS: failure()}), Reason.ZOOM_UNAVAILABLE),
        (facts(secret=None, grant=GrantUnserved(message="connect")), Reason.APP_INVALID),
        (facts(secret=None, failures={RequestKind.GRANT: failure()}), Reason.ZOOM_UNAVAILABLE),
        (facts(secret=None, failures={RequestKind.GRANT: failure(Reason.APP_INVALID)}), Reason.APP_INVALID),
        (facts(OVER, failures={RequestKind.TOKENS: failure()}), Reason.ZOOM_UNAVAILABLE),
        (facts(OVER, failures={RequestKind.TOKENS: failure(Reason.APP_INVALID)}), Reason.APP_INVALID),
        (facts(failures={RequestKind.TOKENS: failure(Reason.USER_INACTIVE)}), Reason.USER_INACTIVE),
        (facts(failures={RequestKind.TOKENS: failure(Reason.DISABLED_BY_ADMIN)}), Reason.DISABLED_BY_ADMIN),
        (facts(healthy(user_id=""), failures={RequestKind.IDENTITY: failure()}), Reason.ZOOM_UNAVAILABLE),
        (
            facts(healthy(user_id=""), failures={RequestKind.IDENTITY: failure(Reason.SCOPES_MISSING)}),
            Reason.SCOPES_MISSING,
        ),
        (facts(healthy(tokens=tokens(scope="user:read:user"))), Reason.SCOPES_MISSING),
        (facts(healthy(tokens=tokens(scope=""))), Reason.TOKEN_VALID),
        (facts(healthy(tokens=tokens(scope="user:read:zak"))), Reason.TOKEN_VALID),
        (facts(healthy(rejected_token=rejected(Reason.REAUTHORIZATION_REQUIRED))), Reason.REAUTHORIZATION_REQUIRED),
        (facts(healthy(rejected_token=rejected(Reason.ROTATION_INTERRUPTED))), Reason.ROTATION_INTERRUPTED),
        (
            facts(healthy(rejected_token=rejected(Reason.REAUTHORIZATION_REQUIRED)), app=Absent(message="no app")),
            Reason.REAUTHORIZATION_REQUIRED,
        ),
        (
            facts(
                healthy(
                    rejected_token=rejected(Reason.REAUTHORIZATION_REQUIRED),
                    rejected_grant=rejected(Reason.USER_MISMATCH, "grant-2"),
                ),
                grant=GrantFound(fingerprint="grant-2"),
            ),
            Reason.USER_MISMATCH,
        ),
        (
            facts(TokenState(rejected_grant=rejected(Reason.ROTATION_INTERRUPTED, "grant-1"))),
            Reason.ROTATION_INTERRUPTED,
        ),
        (facts(TokenState(claim=claim(mark="grant-1"))), Reason.ZOOM_UNAVAILABLE),
        (facts(NOTHING), Reason.ZOOM_UNAVAILABLE),
        (facts(OVER, credential=credential(refreshPolicy="OnDemand")), Reason.TOKEN_VALID),
        (
            facts(OVER, credential=credential(refreshPolicy="OnDemand"), failures={RequestKind.TOKENS: failure()}),
            Reason.ZOOM_UNAVAILABLE,
        ),
    ],
)
def test_reason(given: CredentialFacts, reason: Reason) -> None:
    readiness = ready(given)
    assert readiness.reason is reason
    assert readiness.ready is (reason is Reason.TOKEN_VALID)
    assert readiness.message


def test_only_what_needs_another_spec_is_stalled() -> None:
    assert ready(facts(secret=None, grant=GrantUnserved(message="Not served."))).stalled
    assert not ready(facts(secret=None, app=Absent(message="no app"))).stalled


def test_messages_tell_what_cannot_be_renewed_and_which_features_are_off() -> None:
    assert "It cannot be refreshed: The app is gone." in ready(facts(app=Absent(message="The app is gone."))).message
    off = ready(facts(healthy(tokens=tokens(scope="meeting:read:local_recording_token")))).message
    assert "the list of meetings (meeting:read:list_meetings)" in off


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_removal_of_the_user_counts_only_when_zoom_confirms_it(confirmed: bool) -> None:
    removal = {"time": "2026-11-24T12:00:00Z", "kind": "Deactivated"}
    status = {"userId": "u-1", "accountId": "a-1", "userRemoval": removal}
    shown = ready(facts(credential=credential(status=status), removal_confirmed=confirmed))
    assert (shown.reason is Reason.USER_INACTIVE) is confirmed

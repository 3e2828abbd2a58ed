"""A ZoomCredential as GitOps tools see it: each situation with the status that the operator decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meetingbots.credentials.decide.facts import (
    Absent,
    CredentialFacts,
    GrantAwaited,
    GrantFound,
    GrantUnserved,
    RequestKind,
)
from meetingbots.credentials.decide.ready import Readiness
from meetingbots.credentials.decide.token_state import Rejection, SecretConflict, TokenState
from meetingbots.models.credential import CredentialReason as Reason

from tests.gitops.objects import Object, credential_at
from tests.gitops.outcomes import (
    CREDENTIAL_REASONS,
    FOR_A_PERSON,
    MAY_HEAL,
    OVER,
    REFRESH_BLOCKED,
    REFUSED_CHANGE,
    TO_MEND,
    WELL,
    Outcome,
)
from tests.unit.credentials.decide.credential_cases import credential, facts, failure, healthy, secret, tokens

RUN_OUT = healthy(tokens=tokens(left=-1))
CONNECT = {"connect": {"expectedEmail": "alice@acme.example"}}
GONE = {"endedGrant": "grant-1", "deauthorization": {"time": "2026-11-24T12:00:00Z"}}


@dataclass(frozen=True, kw_only=True)
class State:
    """A situation: its facts, and how GitOps tools see it. `reason` is that of Ready."""

    name: str
    facts: CredentialFacts
    reason: Reason
    outcome: Outcome

    def item(self) -> Object:
        """The credential as the operator leaves it in this situation."""
        return credential_at(self.facts)


def _refused(reason: Reason, mark: str = "") -> Rejection:
    return Rejection(mark=mark or tokens().mark, client_id="client", reason=reason, message="Zoom said no.")


def states() -> Iterator[State]:
    """All situations."""
    for name, given, reason, outcome in (
        ("well", facts(), Reason.TOKEN_VALID, WELL),
        ("well while Zoom is away", facts(failures={RequestKind.TOKENS: failure()}), Reason.TOKEN_VALID, WELL),
        ("well though the app is gone", facts(app=Absent(message="no app")), Reason.TOKEN_VALID, REFRESH_BLOCKED),
        ("suspended", facts(credential=credential(suspend=True)), Reason.SUSPENDED, FOR_A_PERSON),
        ("waits for its user", _awaited(), Reason.WAITING_FOR_CONSENT, FOR_A_PERSON),
        ("first asks Zoom", facts(TokenState()), Reason.ZOOM_UNAVAILABLE, MAY_HEAL),
        ("Zoom is away", facts(RUN_OUT, failures={RequestKind.TOKENS: failure()}), Reason.ZOOM_UNAVAILABLE, MAY_HEAL),
        ("no app", facts(secret=None, app=Absent(message="no app")), Reason.APP_SECRET_MISSING, MAY_HEAL),
        ("no grant", facts(secret=None, grant=Absent(message="no grant")), Reason.GRANT_SECRET_MISSING, MAY_HEAL),
        ("a grant that is not served", _unserved(), Reason.APP_INVALID, OVER),
        ("a foreign Secret", facts(secret=SecretConflict(message="no")), Reason.SECRET_CONFLICT, TO_MEND),
        ("the user took it back", _revoked(), Reason.DEAUTHORIZED, TO_MEND),
        ("lacks scopes", facts(healthy(tokens=tokens(scope="user:read:user"))), Reason.SCOPES_MISSING, TO_MEND),
        ("another person", _other_person(), Reason.USER_MISMATCH, TO_MEND),
        ("a changed grant is refused", _refused_change(), Reason.TOKEN_VALID, REFUSED_CHANGE),
    ):
        yield State(name=name, facts=given, reason=reason, outcome=outcome)
    for reason in (Reason.REAUTHORIZATION_REQUIRED, Reason.ROTATION_INTERRUPTED):
        given = facts(healthy(rejected_token=_refused(reason)))
        yield State(name=f"refused: {reason}", facts=given, reason=reason, outcome=CREDENTIAL_REASONS[reason])
    for reason in (Reason.APP_INVALID, Reason.USER_INACTIVE, Reason.DISABLED_BY_ADMIN):
        given = facts(RUN_OUT, failures={RequestKind.TOKENS: failure(reason)})
        yield State(name=f"not renewed: {reason}", facts=given, reason=reason, outcome=CREDENTIAL_REASONS[reason])


def _awaited() -> CredentialFacts:
    return facts(credential=credential(status={}, grant=CONNECT), grant=GrantAwaited(), secret=secret(TokenState()))


def _unserved() -> CredentialFacts:
    return facts(secret=None, grant=GrantUnserved(message="This host is not allowed."))


def _revoked() -> CredentialFacts:
    return facts(TokenState(), credential=credential(status=GONE))


def _other_person() -> CredentialFacts:
    state = TokenState(rejected_grant=_refused(Reason.USER_MISMATCH, "grant-2"))
    return facts(state, grant=GrantFound(fingerprint="grant-2"))


def _refused_change() -> CredentialFacts:
    state = healthy(rejected_grant=_refused(Reason.REAUTHORIZATION_REQUIRED, "grant-2"))
    return facts(state, grant=GrantFound(fingerprint="grant-2"))


def every_reason() -> Iterator[tuple[str, Object, Outcome]]:
    """Every reason through the way that a status is written, whether or not it comes about today."""
    for reason in Reason:
        well = reason is Reason.TOKEN_VALID
        readiness = Readiness(well, reason, "words")
        yield f"{reason}", credential_at(facts(), readiness=readiness), CREDENTIAL_REASONS[reason]
        if not well and reason is not Reason.SUSPENDED:  # which is never for good
            stalled = Readiness(False, reason, "words", stalled=True)
            yield f"{reason} stalled", credential_at(facts(), readiness=stalled), OVER

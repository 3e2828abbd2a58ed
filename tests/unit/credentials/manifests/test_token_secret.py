from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meetingbots.credentials.decide.token_changes import claimed, holds, identified, obtained, refused, released, saved
from meetingbots.credentials.decide.token_state import (
    Candidate,
    Claim,
    Rejection,
    SecretConflict,
    Tokens,
    TokenSecret,
    TokenSlot,
    TokenState,
    Unsaved,
    mark_of,
    wanted_owners,
)
from meetingbots.credentials.manifests.token_secret import (
    content_patch,
    credential_label,
    new_secret,
    read_state,
    read_token_secret,
)
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.metadata import OwnerReference
from meetingbots.zoom.oauth import TokenSet
from pydantic import SecretStr

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def credential(name: str = "alice", **spec: Any) -> ZoomCredential:
    return ZoomCredential.from_object(
        {
            "metadata": {"name": name, "namespace": "team", "uid": "uid-1"},
            "spec": {"appSecretRef": {"name": "a"}, "grant": {"serverToServer": {"accountId": "acc"}}, **spec},
        }
    )


def tokens(number: int = 1, *, refresh: bool = True) -> Tokens:
    return Tokens(
        access_token=SecretStr(f"access-{number}"),
        refresh_token=SecretStr(f"refresh-{number}") if refresh else None,
        expires_at=NOW + timedelta(hours=1),
        token_type="bearer",
        scope="a:b c:d",
        api_url="https://api.zoom.us",
        last_refresh=NOW,
        next_refresh=NOW + timedelta(minutes=38),
    )


FULL = TokenState(
    tokens=tokens(),
    fingerprint="grant-1",
    candidate=Candidate(tokens=tokens(2), fingerprint="grant-2"),
    user_id="u-1",
    account_id="a-1",
    claim=Claim(id="c", holder="me", time=NOW, mark="m", open=False, interrupted=True),
    rejected_grant=Rejection(mark="g", client_id="app", reason="UserMismatch", code="1", message="No."),
    rejected_token=Rejection(mark="t", client_id="app", reason="RotationInterrupted"),
    handled_refresh="yesterday",
)


@pytest.mark.parametrize("state", [TokenState(), FULL, replace(FULL, tokens=tokens(refresh=False), candidate=None)])
def test_content_is_read_as_it_was_written(state: TokenState) -> None:
    item = new_secret(state, credential=credential())
    assert read_state(item) == state
    read = read_token_secret(item, credential=credential())
    assert isinstance(read, TokenSecret)
    assert read.state == state


def test_patch_removes_what_is_not_so_any_more() -> None:
    patch = content_patch(TokenState(), credential=credential(), owners=())
    assert set(patch["data"].values()) == {None}
    assert set(patch["metadata"]["annotations"].values()) == {None}
    assert set(content_patch(FULL, credential=credential(), owners=())["data"]) == set(patch["data"])


def test_nothing_secret_is_outside_of_the_data() -> None:
    metadata = repr(new_secret(FULL, credential=credential())["metadata"]) + repr(FULL)
    for secret in ("access-1", "refresh-1", "access-2", "refresh-2"):
        assert secret not in metadata


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"app.kubernetes.io/managed-by": "meetingbots"},
        {"app.kubernetes.io/managed-by": "Helm", "meetingbots.dev/credential": "alice"},
        {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/credential": "bob"},
    ],
)
def test_secrets_of_others_are_conflicts(labels: dict[str, str]) -> None:
    item = {"metadata": {"name": "s", "namespace": "team", "uid": "x", "labels": labels}}
    found = read_token_secret(item, credential=credential())
    assert isinstance(found, SecretConflict)
    assert found.uid == "x"
    assert "Secret s" in found.message


def test_immutable_secret_is_a_conflict() -> None:
    item = {**new_secret(FULL, credential=credential()), "immutable": True}
    assert isinstance(read_token_secret(item, credential=credential()), SecretConflict)


def test_garbage_by_someones_edit_counts_as_absent() -> None:
    item = new_secret(FULL, credential=credential())
    item["data"] |= {
        "expires_at": base64.b64encode(b"tomorrow").decode(),
        "candidate": base64.b64encode(b"[1").decode(),
        "scope": "%%%",
    }
    for key in item["metadata"]["annotations"]:
        if key.endswith(("claim", "rejected-grant", "refresh-time")):
            item["metadata"]["annotations"][key] = "{garbage"
    item["metadata"]["annotations"]["meetingbots.dev/rejected-token"] = '{"token":"t","reason":"Invented"}'
    state = read_state(item)
    assert state.tokens is not None
    assert state.tokens.expires_at is None
    assert state.tokens.scope == ""
    assert (state.candidate, state.claim, state.rejected_grant, state.rejected_token) == (None, None, None, None)
    assert state.user_id == "u-1"


def test_owner_only_under_delete() -> None:
    other = OwnerReference(api_version="v1", kind="ConfigMap", name="x", uid="y")
    earlier = OwnerReference(api_version="meetingbots.dev/v1alpha1", kind="ZoomCredential", name="alice", uid="old")
    assert wanted_owners(credential(), owners=(other, earlier)) == (other,)
    owned = wanted_owners(credential(tokenDeletionPolicy="Delete"), owners=(other, earlier))
    assert owned[0] == other
    assert (owned[1].kind, owned[1].uid) == ("ZoomCredential", "uid-1")


def test_long_names_become_labels_that_fit_and_differ() -> None:
    one, two = credential_label("a" * 80 + "1"), credential_label("a" * 80 + "2")
    assert one != two
    assert len(one) <= 63
    assert credential_label("alice") == "alice"


def answer(*, refresh: bool = True, scopes: tuple[str, ...] = ("a:b",)) -> TokenSet:
    return TokenSet(
        access_token=SecretStr("access-9"),
        refresh_token=SecretStr("refresh-9") if refresh else None,
        expires_at=NOW + timedelta(hours=1),
        token_type="bearer",
        scopes=scopes,
        api_url="https://api.zoom.us",
    )


@pytest.mark.parametrize(("jitter", "minutes"), [(0.0, 40), (0.5, 38), (1.0, 36)])
def test_next_renewal_is_at_two_thirds_less_up_to_a_tenth(jitter: float, minutes: float) -> None:
    got = obtained(answer(), previous=None, now=NOW, jitter=jitter)
    assert got.next_refresh == NOW + timedelta(minutes=minutes)


def test_without_a_new_refresh_token_the_old_one_stays() -> None:
    got = obtained(answer(refresh=False, scopes=()), previous=tokens(), now=NOW, jitter=0)
    assert got.refresh_token == SecretStr("refresh-1")
    assert got.scope == "a:b c:d"


def unsaved(
    before: TokenState, *, slot: TokenSlot = TokenSlot.CURRENT, fingerprint: str = "grant-1", spent: str = ""
) -> Unsaved:
    return Unsaved(
        tokens=tokens(9),
        slot=slot,
        fingerprint=fingerprint,
        spent=spent or tokens().mark,
        before=before,
        uid="s",
        handled_refresh="request",
    )


IN_USE = replace(FULL, candidate=None)


def test_renewed_tokens_replace_those_they_cost_and_end_the_claim() -> None:
    after = saved(IN_USE, unsaved(IN_USE))
    assert after is not None
    assert after.tokens == tokens(9)
    assert (after.claim, after.rejected_token) == (None, None)
    assert after.handled_refresh == "request"
    assert after.rejected_grant == FULL.rejected_grant


def test_deleted_secret_comes_back_with_its_pin_and_its_other_tokens() -> None:
    after = saved(TokenState(), unsaved(FULL, slot=TokenSlot.CANDIDATE, fingerprint="grant-2", spent=tokens(2).mark))
    assert after is not None
    assert after.tokens == tokens(1)
    assert after.candidate == Candidate(tokens=tokens(9), fingerprint="grant-2")
    assert after.user_id == "u-1"


def test_newer_consent_is_not_overwritten() -> None:
    newer = replace(IN_USE, tokens=tokens(5), fingerprint="grant-5")
    assert saved(newer, unsaved(IN_USE)) is None


def test_edit_of_the_tokens_is_overwritten() -> None:
    edited = replace(IN_USE, tokens=tokens(7))
    after = saved(edited, unsaved(IN_USE))
    assert after is not None
    assert after.tokens == tokens(9)


def test_candidate_that_was_put_to_use_meanwhile_is_renewed_in_use() -> None:
    in_use = replace(IN_USE, tokens=tokens(2), fingerprint="grant-2")
    after = saved(in_use, unsaved(FULL, slot=TokenSlot.CANDIDATE, fingerprint="grant-2", spent=tokens(2).mark))
    assert after is not None
    assert after.tokens == tokens(9)
    assert after.candidate is None


def test_first_tokens_of_a_refused_grant_end_its_refusal() -> None:
    before = TokenState(rejected_grant=Rejection(mark="grant-1", client_id="a", reason="ReauthorizationRequired"))
    after = saved(before, unsaved(before, spent="grant-1"))
    assert after is not None
    assert after.rejected_grant is None


def test_holds() -> None:
    pending = unsaved(IN_USE)
    assert not holds(IN_USE, pending)
    after = saved(IN_USE, pending)
    assert after is not None
    assert holds(after, pending)


@pytest.mark.parametrize(
    ("before", "ended", "interrupted"),
    [
        (None, "", False),
        (Claim(id="b", holder="x", time=NOW, mark="m"), "", True),
        (Claim(id="b", holder="x", time=NOW, mark="m"), "b", False),
        (Claim(id="b", holder="x", time=NOW, mark="other"), "", False),
        (Claim(id="b", holder="x", time=NOW, mark="m", open=False, interrupted=True), "", True),
        (Claim(id="b", holder="x", time=NOW, mark="m", open=False, interrupted=True), "b", True),
    ],
)
def test_claim_remembers_an_earlier_one_without_a_known_end(
    before: Claim | None, ended: str, interrupted: bool
) -> None:
    state = claimed(TokenState(claim=before), claim_id="c", holder="me", mark="m", now=NOW, ended_claim=ended)
    assert state.claim == Claim(id="c", holder="me", time=NOW, mark="m", open=True, interrupted=interrupted)


def test_release() -> None:
    held = claimed(TokenState(), claim_id="c", holder="me", mark="m", now=NOW)
    assert released(held, claim_id="c", unanswered=False).claim is None
    unanswered = released(held, claim_id="c", unanswered=True).claim
    assert unanswered is not None
    assert (unanswered.open, unanswered.interrupted) == (False, True)
    assert released(held, claim_id="another's", unanswered=False) == held
    again = claimed(TokenState(claim=unanswered), claim_id="d", holder="me", mark="m", now=NOW)
    still = released(again, claim_id="d", unanswered=False).claim
    assert still is not None
    assert still.interrupted


def test_refusals() -> None:
    rejection = Rejection(mark="x", client_id="app", reason="ReauthorizationRequired")
    current = refused(FULL, slot=TokenSlot.CURRENT, rejection=rejection, handled_refresh="r")
    assert (current.rejected_token, current.rejected_grant) == (rejection, FULL.rejected_grant)
    assert (current.claim, current.handled_refresh, current.tokens) == (None, "r", FULL.tokens)
    candidate = refused(FULL, slot=TokenSlot.CANDIDATE, rejection=rejection)
    assert (candidate.rejected_grant, candidate.candidate, candidate.tokens) == (rejection, None, FULL.tokens)
    grant = refused(FULL, slot=None, rejection=rejection)
    assert (grant.rejected_grant, grant.candidate) == (rejection, FULL.candidate)


def test_identity_pins_and_puts_a_candidate_to_use() -> None:
    first = identified(TokenState(tokens=tokens()), slot=TokenSlot.CURRENT, user_id="u", account_id="a")
    assert (first.user_id, first.account_id) == ("u", "a")
    promoted = identified(FULL, slot=TokenSlot.CANDIDATE, user_id="u-1", account_id="a-1")
    assert (promoted.tokens, promoted.fingerprint, promoted.candidate) == (tokens(2), "grant-2", None)
    assert (promoted.rejected_grant, promoted.rejected_token) == (None, None)


def test_rejections_are_for_one_token_and_one_app() -> None:
    state = TokenState(
        tokens=tokens(),
        rejected_token=Rejection(mark=tokens().mark, client_id="app", reason="ReauthorizationRequired"),
        rejected_grant=Rejection(mark="grant", client_id="app", reason="ReauthorizationRequired"),
    )
    assert state.refuses_token(client_id="app")
    assert not state.refuses_token(client_id="app-2")
    assert not replace(state, tokens=tokens(2)).refuses_token(client_id="app")
    assert state.refuses_grant("grant", client_id="app")
    assert not state.refuses_grant("grant-2", client_id="app")
    assert not state.refuses_grant("grant", client_id="app-2")


def test_marks_do_not_tell() -> None:
    assert mark_of(SecretStr("secret")) != mark_of(SecretStr("secret2"))
    assert len(mark_of(SecretStr("secret"))) == 16

from typing import Any

import pytest
from meetingbots.models.base import ModelError
from meetingbots.models.credential import (
    CredentialReason,
    CredentialStatus,
    GrantKind,
    Level,
    RefreshPolicy,
    TokenDeletionPolicy,
    ZoomCredential,
    ZoomPlan,
)

REFRESH_TOKEN = {"refreshToken": {"secretKeyRef": {"name": "alice", "key": "refresh_token"}}}


def credential(*, grant: dict[str, Any] | None = None, **spec: Any) -> ZoomCredential:
    return ZoomCredential.from_object(
        {
            "apiVersion": "meetingbots.dev/v1alpha1",
            "kind": "ZoomCredential",
            "metadata": {"name": "alice", "namespace": "acme"},
            "spec": {"appSecretRef": {"name": "zoom-app"}, "grant": REFRESH_TOKEN if grant is None else grant, **spec},
        }
    )


def test_defaults() -> None:
    found = credential()

    assert (found.name, found.namespace) == ("alice", "acme")
    assert found.spec.level is Level.USER
    assert found.token_secret_name == "alice-zoom-token"
    assert found.spec.token_deletion_policy is TokenDeletionPolicy.RETAIN
    assert found.spec.refresh_policy is RefreshPolicy.CONTINUOUS
    assert found.spec.meeting_sync.interval_seconds == 86400
    assert (found.spec.rate_limit.plan, found.spec.rate_limit.share_percent) == (ZoomPlan.PRO, 50)
    assert found.spec.suspend is False
    assert found.status == CredentialStatus()
    assert found.status.consecutive_failures == 0


def test_a_token_secret_of_another_name() -> None:
    assert credential(tokenSecretName="other").token_secret_name == "other"


@pytest.mark.parametrize(
    ("spec", "enabled"),
    [
        ({}, True),
        ({"level": "Account"}, False),
        ({"meetingSync": {"intervalSeconds": 60}}, True),
        ({"level": "Account", "meetingSync": {"enabled": True}}, True),
        ({"meetingSync": {"enabled": False}}, False),
    ],
)
def test_meetings_are_synced_by_default_for_users_only(spec: dict[str, Any], enabled: bool) -> None:
    assert credential(**spec).sync_enabled is enabled


@pytest.mark.parametrize(
    ("grant", "kind"),
    [
        (REFRESH_TOKEN, GrantKind.REFRESH_TOKEN),
        (
            {"authorizationCode": {"secretKeyRef": {"name": "a", "key": "code"}, "redirectURI": "https://x.test/cb"}},
            GrantKind.AUTHORIZATION_CODE,
        ),
        ({"serverToServer": {"accountId": "abc"}}, GrantKind.SERVER_TO_SERVER),
        ({"accessTokenURL": {"url": "https://x.test/token"}}, GrantKind.ACCESS_TOKEN_URL),
        ({"connect": {}}, GrantKind.CONNECT),
    ],
)
def test_grants(grant: dict[str, Any], kind: GrantKind) -> None:
    found = credential(grant=grant)

    assert found.spec.grant.kind is kind
    assert found.to_dict()["spec"]["grant"] == grant


def test_fields_with_capitals_are_read_and_written() -> None:
    grant = {"connect": {"expectedEmail": "a@x.test", "expectedAccountId": "b", "returnURL": "https://x.test"}}
    connect = credential(grant=grant).spec.grant.connect

    assert connect is not None
    assert (connect.expected_email, connect.expected_account_id) == ("a@x.test", "b")
    assert connect.return_url == "https://x.test"
    status = CredentialStatus.model_validate({"connectURL": "https://x.test/connect"})
    assert status.connect_url == "https://x.test/connect"
    assert status.to_dict()["connectURL"] == "https://x.test/connect"


@pytest.mark.parametrize("grant", [{}, {"connect": {}, "serverToServer": {"accountId": "a"}}])
def test_exactly_one_grant(grant: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"spec\.grant: exactly one of refreshToken, authorizationCode"):
        credential(grant=grant)


def test_links_are_not_in_the_representation() -> None:
    text = repr(credential(grant={"accessTokenURL": {"url": "https://x.test/?key=hush"}}))
    text += repr(CredentialStatus(connect_url="https://x.test/?t=hush"))

    assert "hush" not in text


def test_errors_are_one_sentence_without_a_cause_that_quotes() -> None:
    with pytest.raises(ModelError) as caught:
        credential(grant={"accessTokenURL": {"url": ["hush"]}})

    assert str(caught.value) == "This ZoomCredential is not valid: spec.grant.accessTokenURL.url must be a text."
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_reasons_are_those_of_the_contract() -> None:
    assert " ".join(CredentialReason) == (
        "TokenValid WaitingForConsent AppSecretMissing AppInvalid GrantSecretMissing ReauthorizationRequired "
        "RotationInterrupted Deauthorized UserInactive UserMismatch DisabledByAdmin ScopesMissing ZoomUnavailable "
        "SecretConflict Suspended"
    )

"""Grant connect: the end user's way from the link in the status over Zoom's page to a credential that is Ready."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.connecting import invite, link_of, prepare
from tests.stack.person import Person
from tests.stack.stack import Stack
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import User

SENT = re.compile(r"zoom-consent-[0-9a-f]{40}")


@pytest.fixture
def person() -> Iterator[Person]:
    """Someone with a browser."""
    with Person() as someone:
        yield someone


@pytest.fixture
def customer(tenant: Tenant, stack: Stack) -> Tenant:
    """A customer whose app knows our redirect URI."""
    prepare(tenant, public_url=stack.receiver_url)
    return tenant


def shows(customer: Tenant, person: Person, outcome: str) -> None:
    """Reload the page until it says so."""

    def says() -> bool:
        if person.outcome != outcome:
            person.reload()
        return person.outcome == outcome

    customer.wait(f"the page says {outcome}, not {person.outcome}", says)


def consents(customer: Tenant) -> list[str]:
    """The Secrets with codes that are there."""
    found = customer.cluster.api.get(core_path("secrets", namespace=customer.namespace)) or {}
    return [item["metadata"]["name"] for item in found["items"] if SENT.fullmatch(item["metadata"]["name"])]


def test_from_the_link_to_ready(customer: Tenant, person: Person, stack: Stack) -> None:
    url = invite(customer)
    assert url.startswith(f"{stack.receiver_url}/connect/{customer.namespace}/alice?t=")
    assert person.open(url).status_code == 200
    person.press()
    assert customer.app.name in person.page.text if person.page else False
    person.decide(customer.user.id)
    shows(customer, person, "connected")
    assert person.page is not None
    assert customer.user.email in person.page.text
    assert "code=" not in str(person.page.url), "the code does not stay in the address"
    customer.wait_ready("zoomcredentials", "alice")
    status = customer.status("zoomcredentials", "alice")
    assert "connectURL" not in status
    assert status["userId"] == customer.user.id
    assert [one["reason"] for one in status["handledConsents"]] == ["Accepted"]
    assert customer.secret_values("alice-zoom-token")["refresh_token"]
    assert consents(customer) == [], "the Secret with the code is gone"
    assert person.open(url).status_code == 410
    assert person.outcome == "used"


def test_another_browser_cannot_finish(customer: Tenant, person: Person) -> None:
    person.open(invite(customer))
    person.press()
    back = person.answer(customer.user.id).headers["Location"]
    with Person() as thief:
        assert thief.open(back).status_code == 403
        assert thief.outcome == "other-browser"
    assert consents(customer) == []
    person.open(back)
    shows(customer, person, "connected")


def test_an_answer_counts_once(customer: Tenant, person: Person) -> None:
    person.open(invite(customer))
    person.press()
    back = person.answer(customer.user.id).headers["Location"]
    person.open(back)
    shows(customer, person, "connected")
    assert person.open(back).status_code == 409
    assert person.outcome == "used-twice"


def test_declining_is_recorded_and_can_be_corrected(customer: Tenant, person: Person) -> None:
    person.open(invite(customer))
    person.press()
    person.decide(customer.user.id, accept=False)
    assert person.outcome == "refused"
    customer.wait("recorded", lambda: "declined" in customer.condition("zoomcredentials", "alice").get("message", ""))
    assert customer.condition("zoomcredentials", "alice")["reason"] == "WaitingForConsent"
    person.press()
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "connected")


def test_another_user_than_expected_is_refused(customer: Tenant, person: Person, zoom: SimClient) -> None:
    stranger = zoom.add_user(User(account_id=customer.account.id, email="stranger@tenant.example"))
    person.open(invite(customer, expectedEmail=customer.user.email.upper()))
    assert person.page is not None
    assert customer.user.email.upper() in person.page.text
    person.press()
    person.decide(stranger.id)
    shows(customer, person, "other-user")
    ready = customer.wait_reason("zoomcredentials", "alice", "UserMismatch")
    assert "stranger" not in ready["message"]
    assert not customer.secret_values("alice-zoom-token"), "a stranger's tokens are not kept"
    person.press()
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "connected")
    customer.wait_ready("zoomcredentials", "alice")


def test_a_consent_on_another_persons_link_goes_to_ones_own_credential(
    customer: Tenant, person: Person, zoom: SimClient
) -> None:
    bob = zoom.add_user(User(account_id=customer.account.id, email="bob@tenant.example"))
    first = zoom.consent(client_id=customer.app.client_id, user=bob.id)
    customer.secret("bob", refresh_token=first.refresh_token)
    customer.credential("bob", grant={"refreshToken": {"secretKeyRef": {"name": "bob", "key": "refresh_token"}}})
    customer.wait_ready("zoomcredentials", "bob")
    spent = customer.secret_values("bob-zoom-token")["refresh_token"]
    person.open(invite(customer, expectedEmail=customer.user.email))
    person.press()
    person.decide(bob.id)
    shows(customer, person, "other-user")
    assert person.page is not None
    assert "has been renewed" in person.page.text
    ready = customer.wait_reason("zoomcredentials", "alice", "UserMismatch")
    assert "ZoomCredential bob" in ready["message"]
    assert not customer.secret_values("alice-zoom-token")
    assert customer.secret_values("bob-zoom-token")["refresh_token"] != spent
    customer.wait(
        "bob's condition names the link",
        lambda: "ZoomCredential alice" in customer.condition("zoomcredentials", "bob")["message"],
    )
    customer.cluster.api.patch(
        f"{GROUP}/namespaces/{customer.namespace}/zoomcredentials/bob",
        {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": "now"}}},
    )
    customer.wait(
        "bob's tokens are refreshed",
        lambda: customer.status("zoomcredentials", "bob").get("lastHandledRefreshRequest") == "now",
    )
    customer.wait_ready("zoomcredentials", "bob")


def test_another_account_than_expected_is_refused(customer: Tenant, person: Person) -> None:
    person.open(invite(customer, expectedAccountId="another-account"))
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "other-user")
    customer.wait_reason("zoomcredentials", "alice", "UserMismatch")


def test_the_user_must_come_again_and_must_be_the_same(customer: Tenant, person: Person, zoom: SimClient) -> None:
    first = invite(customer)
    person.open(first)
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "connected")
    zoom.revoke(client_id=customer.app.client_id, user=customer.user.id)
    customer.cluster.api.patch(
        f"{GROUP}/namespaces/{customer.namespace}/zoomcredentials/alice",
        {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": "now"}}},
    )
    ready = customer.wait_reason("zoomcredentials", "alice", "ReauthorizationRequired")
    assert "connectURL" in ready["message"]
    again = link_of(customer)
    person.open(first)
    assert person.outcome == "used", "the link of the first time stays dead"
    other = zoom.add_user(User(account_id=customer.account.id, email="other@tenant.example"))
    person.open(again)
    person.press()
    person.decide(other.id)
    shows(customer, person, "other-user")
    customer.wait_reason("zoomcredentials", "alice", "UserMismatch")
    person.press()
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "connected")
    customer.wait_ready("zoomcredentials", "alice")


def test_an_app_that_zoom_refuses_is_reported_and_can_be_corrected(customer: Tenant, person: Person) -> None:
    customer.app_secret(client_secret="wrong")
    person.open(invite(customer))
    person.press()
    person.decide(customer.user.id)
    shows(customer, person, "waiting-for-app")
    customer.wait_reason("zoomcredentials", "alice", "AppInvalid")
    customer.app_secret()
    shows(customer, person, "connected")


def test_an_outage_of_zoom_is_reported_and_retried(customer: Tenant, person: Person, zoom: SimClient) -> None:
    person.open(invite(customer))
    person.press()
    zoom.fault("oauth.token", "html", status=503, count=2, client_id=customer.app.client_id)
    person.decide(customer.user.id)
    shows(customer, person, "waiting-for-zoom")
    shows(customer, person, "connected")


def test_without_its_app_it_says_so(tenant: Tenant, person: Person) -> None:
    tenant.credential("alice", grant={"connect": {}})
    tenant.wait_reason("zoomcredentials", "alice", "AppSecretMissing")
    assert person.open(link_of(tenant)).status_code == 503
    assert person.outcome == "not-set-up"


def test_a_forged_link_leads_nowhere(customer: Tenant, person: Person) -> None:
    url = invite(customer)
    assert person.open(url[:-1] + ("A" if url[-1] != "A" else "B")).status_code == 403
    assert person.open(url.replace("/alice?", "/bob?")).status_code == 403
    assert person.open(url.partition("?")[0]).status_code == 403
    customer.delete("zoomcredentials", "alice")
    customer.wait("gone", lambda: person.open(url).status_code == 410)
    assert person.outcome == "gone"


def test_a_suspended_credential_is_reported_and_can_be_resumed(customer: Tenant, person: Person) -> None:
    url = invite(customer)
    person.open(url)
    person.press()
    back = person.answer(customer.user.id).headers["Location"]
    customer.credential("alice", grant={"connect": {}}, suspend=True)
    customer.wait_reason("zoomcredentials", "alice", "Suspended")
    person.open(back)
    assert person.outcome == "paused"
    assert consents(customer) == []


def test_no_code_state_or_link_is_logged(customer: Tenant, person: Person, stack: Stack) -> None:
    url = invite(customer)
    person.open(url)
    person.press()
    back = person.answer(customer.user.id).headers["Location"]
    person.open(back)
    shows(customer, person, "connected")
    logs = stack.operator.text() + stack.receiver.text()
    code, state = re.search(r"code=([^&]+)", back), re.search(r"state=([^&]+)", back)
    assert code is not None
    assert state is not None
    for secret in (code[1], state[1], url.partition("t=")[2]):
        assert secret not in logs


def test_the_receiver_may_create_consents_and_read_none(cluster: ControlPlane, tenant: Tenant) -> None:
    path = str(cluster.service_account_kubeconfig("meetingbots-system", "receiver"))

    def may(verb: str) -> str:
        return cluster.kubectl(
            "--kubeconfig", path, "auth", "can-i", verb, "secrets", "-n", tenant.namespace, check=False
        ).strip()

    assert may("create") == "yes"
    assert {verb: may(verb) for verb in ("get", "list", "watch", "patch", "delete")} == dict.fromkeys(
        ("get", "list", "watch", "patch", "delete"), "no"
    )

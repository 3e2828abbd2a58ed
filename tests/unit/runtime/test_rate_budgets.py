"""What an account's credentials grant together."""

from __future__ import annotations

from typing import Any

import pytest
from meetingbots.runtime.accounts import RateBudgets, account_of, allowance_of
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.limits.account_rate import AccountAllowance, RatePlan


def credential(name: str, *, account: str = "", namespace: str = "team", **granted: Any) -> dict[str, Any]:
    status = {"accountId": account} if account else {}
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1"},
        "spec": {"rateLimit": granted},
        "status": status,
    }


def rates(*credentials: dict[str, Any]) -> RateBudgets:
    return RateBudgets(credentials=cache(*credentials))


def cache(*credentials: dict[str, Any]) -> ObjectCache:
    made = ObjectCache(index=account_of)
    for item in credentials:
        made.put(item)
    return made


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, AccountAllowance(plan=RatePlan.PRO, share=0.5)),
        ({"rateLimit": {"plan": "Business", "sharePercent": 80}}, AccountAllowance(plan=RatePlan.BUSINESS, share=0.8)),
        ({"rateLimit": {"plan": "Free"}}, AccountAllowance(plan=RatePlan.FREE, share=0.5)),
        ({"rateLimit": {"plan": "a new one"}}, AccountAllowance(plan=RatePlan.FREE, share=0.5)),
    ],
)
def test_what_one_credential_grants(spec: dict[str, Any], expected: AccountAllowance) -> None:
    assert allowance_of({"spec": spec}) == expected


def test_the_lowest_of_a_namespaces_credentials_hold() -> None:
    found = rates(
        credential("a", account="acme", plan="Business", sharePercent=20),
        credential("b", account="acme", plan="Pro", sharePercent=90),
        credential("c", account="another", plan="Free", sharePercent=1),
    )
    assert found.allowance("acme") == AccountAllowance(plan=RatePlan.PRO, share=0.2)


def test_a_tenant_does_not_slow_another_one_of_the_account_down() -> None:
    ours = credential("a", account="acme", plan="Business", sharePercent=50)
    alone = rates(ours).allowance("acme")
    hostile = [
        credential(f"h{percent}", account="acme", plan="Free", sharePercent=percent, namespace="hostile")
        for percent in (1, 99)
    ]
    assert rates(ours, *hostile).allowance("acme") == alone


def test_the_platform_sets_a_lower_bound_for_shares() -> None:
    credentials = cache(credential("a", account="acme", sharePercent=1))
    assert RateBudgets(credentials=credentials, min_share=0.2).allowance("acme").share == 0.2
    assert RateBudgets(credentials=credentials, min_share=0.005).allowance("acme").share == 0.01


def test_an_account_without_a_status_has_the_allowance_of_its_askers() -> None:
    credentials = cache(credential("new", plan="Free", sharePercent=30))
    found = RateBudgets(credentials=credentials)
    assert found.allowance("acme") == AccountAllowance(plan=RatePlan.PRO, share=0.5)
    found.note(Key("team", "new"), account="acme")
    assert found.allowance("acme") == AccountAllowance(plan=RatePlan.FREE, share=0.3)
    changed = credential("new", account="acme", plan="Pro", sharePercent=40)
    changed["metadata"]["resourceVersion"] = "2"
    credentials.put(changed)
    assert found.allowance("acme") == AccountAllowance(plan=RatePlan.PRO, share=0.4)
    credentials.drop(Key("team", "new"))
    assert found.allowance("acme") == AccountAllowance(plan=RatePlan.PRO, share=0.5)


def test_a_deleted_credential_grants_nothing() -> None:
    credentials = cache(credential("new", plan="Free", sharePercent=30))
    found = RateBudgets(credentials=credentials)
    found.note(Key("team", "new"), account="?app")
    credentials.drop(Key("team", "new"))
    assert found.allowance("?app") == AccountAllowance(plan=RatePlan.PRO, share=0.5)

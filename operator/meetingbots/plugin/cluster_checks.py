"""The checks of `doctor` on the cluster (versions, CRDs, clock) and on a namespace (quota, Pod Security)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

from meetingbots import __version__
from meetingbots.kube.client import Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import Resource
from meetingbots.models.crds import crds
from meetingbots.plugin.answer import Check, Colour
from meetingbots.plugin.reader import ClusterReader

CRDS: Final = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace")
QUOTAS: Final = Resource("", "v1", "resourcequotas", "ResourceQuota")
ENFORCE_LABEL: Final = "pod-security.kubernetes.io/enforce"
_CLOCK_SECONDS: Final = 30
"""A receiver refuses webhooks from five minutes; tokens and deadlines suffer earlier."""
_ALMOST: Final = Decimal("0.9")
_COUNTED: Final = frozenset({"pods", "count/pods", "secrets", "count/secrets"})
_QUANTITY: Final = re.compile(r"([0-9.]+)([kMGTPE]?)")
_FACTORS: Final = {suffix: Decimal(1000) ** power for power, suffix in enumerate(("", *"kMGTPE"))}


async def check_cluster(reader: ClusterReader, *, now: datetime) -> AsyncIterator[Check]:
    """Check API server and CRDs. Raises `KubeError`."""
    try:
        server = await reader.ask_server()
    except KubeError as error:
        yield Check(Colour.RED, f"The API server does not answer: {error}", "Check the kubeconfig and the network.")
        return
    yield Check(Colour.GREEN, f"The API server runs Kubernetes {server.version}; this plugin is {__version__}.")
    yield clock_check("the API server", server.date, now=now)
    for expected in crds():
        name = expected["metadata"]["name"]
        yield crd_check(
            await reader.get_cluster_wide(CRDS, name), expected, readable=f"get {CRDS.plural}" not in reader.unread
        )


async def check_namespace(reader: ClusterReader) -> AsyncIterator[Check]:
    """Check the quotas and the Pod Security Standard of the reader's namespace. Raises `KubeError`."""
    for quota in await reader.list(QUOTAS):
        for check in quota_checks(quota):
            yield check
    namespace = await reader.get_cluster_wide(NAMESPACES, reader.namespace)
    if namespace is not None:
        yield pod_security_check(namespace)


def clock_check(owner: str, date: str, *, now: datetime) -> Check:
    """Compare a clock with this machine's by the `Date` header of an answer (RFC 9110, section 6.6.1)."""
    try:
        seconds = abs((parsedate_to_datetime(date) - now).total_seconds())
    except (TypeError, ValueError):
        return Check(Colour.YELLOW, f"No time comes from {owner}.", "Compare its clock by hand.")
    if seconds > _CLOCK_SECONDS:
        text = f"The clocks of {owner} and of this machine differ by {seconds:.0f} s."
        return Check(Colour.YELLOW, text, "Set the wrong one by NTP.")
    return Check(Colour.GREEN, f"The clocks of {owner} and of this machine agree.")


def crd_check(found: Object | None, expected: Mapping[str, Any], *, readable: bool = True) -> Check:
    """Compare a CRD of the cluster with the one of this version, by the fields of their schemas."""
    name = expected["metadata"]["name"]
    if found is None:
        if not readable:
            return Check(Colour.YELLOW, f"CRD {name} was not checked.", "Ask for the right to get CRDs.")
        return Check(Colour.RED, f"CRD {name} is missing.", "Install the chart, or apply the CRDs.")
    there, here = set(_fields(_schema(found))), set(_fields(_schema(expected)))
    if here - there:
        missing = ", ".join(sorted(here - there)[:3])
        return Check(
            Colour.RED, f"CRD {name} is older than this plugin and lacks {missing}.", "Apply the CRDs of this release."
        )
    if there - here:
        return Check(Colour.YELLOW, f"CRD {name} is newer than this plugin.", "Update the plugin.")
    return Check(Colour.GREEN, f"CRD {name} is that of this release.")


def quota_checks(quota: Object) -> Iterator[Check]:
    """Check whether a ResourceQuota leaves room for Pods and Secrets, of which each bot needs one."""
    status = quota.get("status") or {}
    used = status.get("used") or {}
    for what, text in sorted((status.get("hard") or {}).items()):
        hard, taken = _number(text), _number(used.get(what, "0"))
        if what not in _COUNTED or hard is None or taken is None:
            continue
        state = f"ResourceQuota {quota['metadata']['name']} allows {text} {what}, and {used.get(what, '0')} exist."
        if taken >= hard:
            yield Check(Colour.RED, state, "Raise the quota, or delete finished MeetingBots.")
        elif taken >= hard * _ALMOST:
            yield Check(Colour.YELLOW, state, "Raise the quota before the next burst.")
        else:
            yield Check(Colour.GREEN, state)


def pod_security_check(namespace: Object) -> Check:
    """Say which Pod Security Standard the bots' Pods must meet."""
    name, labels = namespace["metadata"]["name"], namespace["metadata"].get("labels") or {}
    level = labels.get(ENFORCE_LABEL, "privileged")
    text = f"Namespace {name} enforces the Pod Security Standard {level}."
    if level == "restricted":
        text += " The operator's defaults meet it; the bot's image must not need root."
    return Check(Colour.GREEN, text)


def _schema(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    versions = (crd.get("spec") or {}).get("versions") or [{}]
    return (versions[0].get("schema") or {}).get("openAPIV3Schema") or {}


def _fields(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, child in (schema.get("properties") or {}).items():
        if path or name in ("spec", "status"):
            yield f"{path}.{name}".lstrip(".")
            yield from _fields(child, f"{path}.{name}")
    if isinstance(schema.get("items"), Mapping):
        yield from _fields(schema["items"], f"{path}[]")


def _number(quantity: str) -> Decimal | None:
    """A quantity of objects (Kubernetes, "Quantity"), such as 10 or 1k; None for other forms."""
    found = _QUANTITY.fullmatch(str(quantity))
    return Decimal(found[1]) * _FACTORS[found[2]] if found else None

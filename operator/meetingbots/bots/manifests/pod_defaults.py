"""The fields that the operator sets in a bot's Pod where the template is silent."""

from __future__ import annotations

from typing import Any, Final

from meetingbots.bots.manifests.template import mapping, objects

_GRACE_SECONDS: Final = 60
_TOLERATION_SECONDS: Final = 900
_UNHEALTHY_NODE_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_ANY_TAINT: Final = "*"

ANNOTATIONS: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""Keep autoscalers from evicting a bot that is in a meeting."""


def set_bot_container_defaults(container: dict[str, Any]) -> None:
    """Complete the container `bot`."""
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")


def set_pod_defaults(spec: dict[str, Any]) -> None:
    """Complete a Pod's spec. Raises `TemplateError`."""
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    _set_tolerations(spec)
    _set_security(spec)


def _set_tolerations(spec: dict[str, Any]) -> None:
    given = objects(spec, "tolerations", at="template.spec")
    tolerated = {str(item.get("key") or _ANY_TAINT) for item in given if item.get("effect") in (None, "", "NoExecute")}
    # Of several matching tolerations the shortest counts, so a template's unlimited one must stay alone.
    spec["tolerations"] = given + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _UNHEALTHY_NODE_TAINTS
        if not {key, _ANY_TAINT} & tolerated
    ]


def _set_security(spec: dict[str, Any]) -> None:
    of_pod = spec["securityContext"] = mapping(spec, "securityContext", at="template.spec")
    template_decides_on_root = "runAsNonRoot" in of_pod
    of_pod.setdefault("runAsNonRoot", of_pod.get("runAsUser") != 0)
    of_pod.setdefault("runAsUser", 1000)
    of_pod.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    for kind in ("containers", "initContainers"):
        for container in objects(spec, kind, at="template.spec"):
            where = f"template.spec.{kind}[{container.get('name')}]"
            _set_container_security(container, at=where, may_allow_root=not template_decides_on_root)


def _set_container_security(container: dict[str, Any], *, at: str, may_allow_root: bool) -> None:
    security = container["securityContext"] = mapping(container, "securityContext", at=at)
    if security.get("runAsUser") == 0 and may_allow_root:
        security.setdefault("runAsNonRoot", False)
    if security.get("privileged"):
        return  # Kubernetes rejects a privileged container with allowPrivilegeEscalation false.
    security.setdefault("allowPrivilegeEscalation", False)
    capabilities = security["capabilities"] = mapping(security, "capabilities", at=f"{at}.securityContext")
    capabilities.setdefault("drop", ["ALL"])

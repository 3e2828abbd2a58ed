"""The fields that the operator sets in a bot's Pod where the template is silent. A null there prevents each of them."""

from __future__ import annotations

from typing import Any, Final

from meetingbots.bots.manifests.template import is_null, mapping, objects

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
    on_windows = mapping(spec, "os", at="template.spec").get("name") == "windows"
    _set_security(spec, on_windows=on_windows)


def _set_tolerations(spec: dict[str, Any]) -> None:
    if is_null(spec, "tolerations"):
        return
    given = objects(spec, "tolerations", at="template.spec")
    tolerated = {str(item.get("key") or _ANY_TAINT) for item in given if item.get("effect") in (None, "", "NoExecute")}
    # Of several matching tolerations the shortest counts, so a template's unlimited one must stay alone.
    spec["tolerations"] = given + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _UNHEALTHY_NODE_TAINTS
        if not {key, _ANY_TAINT} & tolerated
    ]


def _set_security(spec: dict[str, Any], *, on_windows: bool) -> None:
    """Set the security contexts. Kubernetes rejects Linux-only fields in a Pod for Windows (API, PodSpec.os)."""
    of_pod = mapping(spec, "securityContext", at="template.spec")
    template_decides_on_root = "runAsNonRoot" in of_pod
    defaults: dict[str, Any] = {"runAsNonRoot": of_pod.get("runAsUser") != 0}
    if not on_windows:
        defaults |= {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    if is_null(spec, "securityContext"):
        defaults = {}
    containers = _containers(spec)
    for key, value in defaults.items():
        _set_for_pod_or_containers(of_pod, [security for _, _, security in containers], key, value)
    spec["securityContext"] = of_pod
    for container, at, security in containers:
        if is_null(container, "securityContext"):
            continue
        if security.get("runAsUser") == 0 and not template_decides_on_root:
            security.setdefault("runAsNonRoot", False)
        if not on_windows and not security.get("privileged"):
            # Kubernetes rejects a privileged container with allowPrivilegeEscalation false.
            security.setdefault("allowPrivilegeEscalation", False)
            if not is_null(security, "capabilities"):
                capabilities = security["capabilities"] = mapping(security, "capabilities", at=f"{at}.securityContext")
                capabilities.setdefault("drop", ["ALL"])
        container["securityContext"] = security


def _containers(spec: dict[str, Any]) -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    """All containers, each with its path and its security context."""
    found = []
    for kind in ("containers", "initContainers"):
        for container in objects(spec, kind, at="template.spec"):
            at = f"template.spec.{kind}[{container.get('name')}]"
            found.append((container, at, mapping(container, "securityContext", at=at)))
    return found


def _set_for_pod_or_containers(
    of_pod: dict[str, Any], of_containers: list[dict[str, Any]], key: str, value: Any
) -> None:
    """Set a default for the whole Pod. Where a container's null refuses it, set it for the other containers only."""
    if key in of_pod:
        return
    if any(is_null(security, key) for security in of_containers):
        for security in of_containers:
            security.setdefault(key, value)
    else:
        of_pod[key] = value

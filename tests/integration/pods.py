"""Pods for tests: made, looked at and waited for through the API server."""

from collections.abc import Callable
from typing import Any

from tests.cluster.api import Api, Object, core_path, wait_until

SECRET_ENV = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "late", "key": "token"}}}


class Pods:
    """Pods of one namespace, made, looked at and waited for."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def path(self, name: str) -> str:
        return core_path("pods", namespace=self.namespace, name=name)

    def create(self, name: str, *containers: Object, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
        body = {
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"restartPolicy": "Never", "containers": list(containers), **spec},
        }
        return self.api.create(core_path("pods", namespace=self.namespace), body)

    def get(self, name: str) -> Object:
        found = self.api.get(self.path(name))
        assert found is not None, f"Pod {name} is gone"
        return found

    def touch(self, name: str, **annotations: str | None) -> None:
        self.api.patch(self.path(name), {"metadata": {"annotations": annotations}})

    def delete(self, name: str) -> None:
        self.api.delete(self.path(name))

    def secret(self, name: str = "late", **data: str) -> None:
        body = {"metadata": {"name": name}, "stringData": data or {"token": "value"}}
        self.api.create(core_path("secrets", namespace=self.namespace), body)

    def wait(self, name: str, holds: Callable[[Object], bool], *, what: str, limit_seconds: float = 90) -> Object:
        wait_until(lambda: holds(self.get(name)), what=f"Pod {name} {what}", limit_seconds=limit_seconds)
        return self.get(name)

    def wait_phase(self, name: str, phase: str) -> Object:
        return self.wait(name, lambda pod: pod["status"]["phase"] == phase, what=phase)

    def wait_reason(self, name: str, reason: str) -> Object:
        return self.wait(name, lambda pod: reason in waiting_reasons(pod), what=f"waiting for {reason}")

    def wait_gone(self, name: str, *, limit_seconds: float = 90) -> None:
        wait_until(lambda: self.api.get(self.path(name)) is None, what=f"Pod {name} gone", limit_seconds=limit_seconds)


def container(image: str, *args: str, name: str = "bot", **more: Any) -> Object:
    return {"name": name, "image": image, "args": list(args), "imagePullPolicy": "IfNotPresent", **more}


def state(pod: Object, name: str = "bot") -> Object:
    found: Object = next(each["state"] for each in pod["status"]["containerStatuses"] if each["name"] == name)
    return found


def waiting_reasons(pod: Object) -> set[str]:
    statuses = pod["status"].get("containerStatuses", []) + pod["status"].get("initContainerStatuses", [])
    return {each["state"]["waiting"]["reason"] for each in statuses if "waiting" in each["state"]}


def state_of_init(pod: Object, name: str) -> str:
    for each in pod["status"].get("initContainerStatuses", []):
        if each["name"] == name:
            return str(next(iter(each["state"])))
    return ""


def condition(pod: Object, kind: str) -> Object:
    found: Object = next(each for each in pod["status"]["conditions"] if each["type"] == kind)
    return found

import base64
from typing import Any

import pytest

from tests.cluster.kubelet.environment import ConfigError, Object, command_line, expand, field_value, resolve

POD: Object = {
    "metadata": {"name": "bot-1", "namespace": "acme", "uid": "u-1", "labels": {"app": "bot"}},
    "spec": {"nodeName": "double-1", "serviceAccountName": "default"},
    "status": {"podIP": "127.0.0.1"},
}


class Cluster:
    """Look-ups of Secrets and ConfigMaps, counted."""

    def __init__(self, **objects: dict[str, str]) -> None:
        self.objects = objects
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, kind: str, name: str) -> Object | None:
        self.asked.append((kind, name))
        data = self.objects.get(f"{kind}_{name}")
        if data is None:
            return None
        if kind == "secret":
            data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return {"data": data}


async def resolved(
    cluster: Cluster, *env: dict[str, Any], env_from: list[dict[str, Any]] | None = None
) -> dict[str, str]:
    container = {"name": "bot", "env": list(env), "envFrom": env_from or []}
    return await resolve(container, pod=POD, fetch=cluster.fetch)


def secret_key(variable: str, name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key, **more}}}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1y2z"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("costs 5$", "costs 5$"),
        ("$(A)$(A)", "11"),
    ],
)
def test_expand(text: str, result: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == result


def test_expansion_is_not_repeated_on_its_result() -> None:
    assert expand("$(A)", {"A": "$(B)", "B": "2"}) == "$(B)"


async def test_a_value_sees_earlier_variables_only() -> None:
    result = await resolved(
        Cluster(),
        {"name": "EARLY", "value": "$(LATE)"},
        {"name": "LATE", "value": "late"},
        {"name": "AFTER", "value": "$(LATE)!"},
    )
    assert result == {"EARLY": "$(LATE)", "LATE": "late", "AFTER": "late!"}


async def test_empty_and_absent_values_are_set_and_empty() -> None:
    assert await resolved(Cluster(), {"name": "A", "value": ""}, {"name": "B"}) == {"A": "", "B": ""}


async def test_secret_values_are_decoded_and_expand_into_later_values() -> None:
    cluster = Cluster(secret_s={"token": "abc"})
    result = await resolved(cluster, secret_key("T", "s", "token"), {"name": "URL", "value": "x?t=$(T)"})
    assert result == {"T": "abc", "URL": "x?t=abc"}


async def test_each_object_is_read_once() -> None:
    cluster = Cluster(secret_s={"a": "1", "b": "2"})
    await resolved(cluster, secret_key("A", "s", "a"), secret_key("B", "s", "b"))
    assert cluster.asked == [("secret", "s")]


async def test_a_missing_secret_is_reported_in_the_kubelets_words() -> None:
    with pytest.raises(ConfigError, match=r'^secret "s" not found$'):
        await resolved(Cluster(), secret_key("T", "s", "token"))


async def test_a_missing_key_is_reported_in_the_kubelets_words() -> None:
    with pytest.raises(ConfigError, match=r"^couldn't find key token in Secret acme/s$"):
        await resolved(Cluster(secret_s={"other": "1"}), secret_key("T", "s", "token"))


async def test_optional_references_leave_the_variable_out() -> None:
    cluster = Cluster(secret_there={"other": "1"})
    result = await resolved(
        cluster, secret_key("A", "gone", "k", optional=True), secret_key("B", "there", "k", optional=True)
    )
    assert result == {}


async def test_config_maps() -> None:
    entry = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    assert await resolved(Cluster(configmap_c={"k": "plain"}), entry) == {"A": "plain"}
    with pytest.raises(ConfigError, match=r'^configmap "c" not found$'):
        await resolved(Cluster(), entry)
    with pytest.raises(ConfigError, match=r"^couldn't find key k in ConfigMap acme/c$"):
        await resolved(Cluster(configmap_c={}), entry)


async def test_env_from_is_prefixed_filtered_and_overridden_by_env() -> None:
    cluster = Cluster(secret_s={"a": "1", "not a name": "2"}, configmap_c={"a": "3", "b": "4"})
    result = await resolved(
        cluster,
        {"name": "b", "value": "own"},
        env_from=[{"prefix": "S_", "secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}],
    )
    assert result == {"S_a": "1", "a": "3", "b": "own"}


async def test_env_from_of_a_missing_object() -> None:
    with pytest.raises(ConfigError, match=r'^secret "s" not found$'):
        await resolved(Cluster(), env_from=[{"secretRef": {"name": "s"}}])
    assert await resolved(Cluster(), env_from=[{"secretRef": {"name": "s", "optional": True}}]) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "bot-1"),
        ("metadata.namespace", "acme"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "bot"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "double-1"),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert field_value(POD, path) == value


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unsupported fieldPath: spec\.containers"):
        field_value(POD, "spec.containers")


async def test_a_source_that_the_double_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"resourceFieldRef of CPU"):
        await resolved(Cluster(), {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}})


def test_command_replaces_the_entry_point_and_args_follow() -> None:
    variables = {"T": "tok"}
    assert command_line({"args": ["--t", "$(T)"]}, entrypoint=["bot"], variables=variables) == ["bot", "--t", "tok"]
    container = {"command": ["sh", "-c"], "args": ["echo $(T)"]}
    assert command_line(container, entrypoint=["bot"], variables=variables) == ["sh", "-c", "echo tok"]

"""Strategic merge of Pod templates, case by case as `kubectl apply` and `kubectl patch` do it."""

import copy
from typing import Any

import pytest
from meetingbots.bots.manifests.template import TemplateError, merge_template, without_nulls

BASE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1", "b": "2"}},
    "spec": {
        "serviceAccountName": "base",
        "nodeSelector": {"pool": "bots"},
        "tolerations": [{"key": "x"}],
        "imagePullSecrets": [{"name": "registry"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
        "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "config", "configMap": {"name": "c"}}],
        "containers": [
            {
                "name": "bot",
                "image": "bot:1",
                "args": ["--a", "--b"],
                "env": [{"name": "TZ", "value": "UTC"}, {"name": "LEVEL", "value": "info"}],
                "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
                "volumeMounts": [{"mountPath": "/data", "name": "data"}],
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                "securityContext": {"capabilities": {"add": ["A", "B"]}},
            },
            {"name": "proxy", "image": "proxy:1"},
        ],
    },
}


def merged(**spec: Any) -> dict[str, Any]:
    before = copy.deepcopy(BASE)
    made: dict[str, Any] = without_nulls(merge_template(BASE, {"spec": spec}))["spec"]
    assert before == BASE
    return made


def bot(**container: Any) -> dict[str, Any]:
    found: dict[str, Any] = merged(containers=[{"name": "bot", **container}])["containers"][0]
    return found


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


def test_an_empty_patch_changes_nothing() -> None:
    assert merge_template(BASE, {}) == BASE
    assert merge_template({}, BASE) == BASE


def test_objects_are_merged_and_null_removes() -> None:
    made = merge_template(BASE, {"metadata": {"labels": {"b": None, "c": "3"}}})
    assert made["metadata"]["labels"] == {"a": "1", "b": None, "c": "3"}, "a default must not replace it"
    made = without_nulls(made)
    assert made["metadata"]["labels"] == {"a": "1", "c": "3"}
    assert merged(nodeSelector={"zone": "a"})["nodeSelector"] == {"pool": "bots", "zone": "a"}
    assert "serviceAccountName" not in merged(serviceAccountName=None)
    assert "nothing" not in merged(nothing=None)


def test_containers_are_merged_by_name_and_new_ones_appended() -> None:
    made = merged(containers=[{"name": "uploader", "image": "up:1"}, {"name": "bot", "image": "bot:2"}])
    assert names(made["containers"]) == ["bot", "proxy", "uploader"]
    assert made["containers"][0]["image"] == "bot:2"
    assert made["containers"][0]["args"] == ["--a", "--b"]


def test_variables_are_merged_by_name_and_have_one_source() -> None:
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}
    env = bot(env=[{"name": "LEVEL", "valueFrom": reference}, {"name": "NEW", "value": "x"}])["env"]
    assert env == [
        {"name": "TZ", "value": "UTC"},
        {"name": "LEVEL", "valueFrom": reference},
        {"name": "NEW", "value": "x"},
    ]


def test_plain_lists_are_replaced() -> None:
    assert bot(args=["--c"])["args"] == ["--c"]
    assert merged(tolerations=[{"key": "y"}])["tolerations"] == [{"key": "y"}]
    assert bot(securityContext={"capabilities": {"add": ["C"]}})["securityContext"]["capabilities"]["add"] == ["C"]


def test_ports_mounts_pull_secrets_and_host_aliases_have_keys_of_their_own() -> None:
    ports = bot(ports=[{"containerPort": 80, "name": "web"}, {"containerPort": 81}])["ports"]
    assert ports == [
        {"containerPort": 80, "name": "web"},
        {"containerPort": 80, "protocol": "UDP"},
        {"containerPort": 81},
    ]
    mounts = bot(
        volumeMounts=[{"mountPath": "/data", "name": "data", "readOnly": True}, {"mountPath": "/x", "name": "d"}]
    )
    assert [mount["mountPath"] for mount in mounts["volumeMounts"]] == ["/data", "/x"]
    assert mounts["volumeMounts"][0]["readOnly"] is True
    assert names(merged(imagePullSecrets=[{"name": "other"}])["imagePullSecrets"]) == ["registry", "other"]
    aliases = merged(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["b"]}])["hostAliases"]
    assert aliases == [{"ip": "10.0.0.1", "hostnames": ["b"]}]


def test_quantities_are_merged_by_resource() -> None:
    assert bot(resources={"requests": {"cpu": "2"}})["resources"]["requests"] == {"cpu": "2", "memory": "1Gi"}


def test_a_volume_has_one_source() -> None:
    volumes = merged(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "p"}}])["volumes"]
    assert volumes[0] == {"name": "data", "persistentVolumeClaim": {"claimName": "p"}}
    same = merged(volumes=[{"name": "data", "emptyDir": {"medium": "Memory"}}])["volumes"]
    assert same[0]["emptyDir"] == {"sizeLimit": "1Gi", "medium": "Memory"}


def test_directives() -> None:
    assert names(merged(containers=[{"name": "proxy", "$patch": "delete"}])["containers"]) == ["bot"]
    replaced = merged(containers=[{"$patch": "replace"}, {"name": "bot", "image": "only:1"}])["containers"]
    assert replaced == [{"name": "bot", "image": "only:1"}]
    assert bot(**{"$patch": "replace", "image": "only:1"}) == {"name": "bot", "image": "only:1"}
    assert merged(nodeSelector={"$patch": "replace", "zone": "a"})["nodeSelector"] == {"zone": "a"}
    assert merged(nodeSelector={"$patch": "delete"})["nodeSelector"] == {}
    order = {"$setElementOrder/containers": [{"name": "bot"}], "$retainKeys": ["x"]}
    assert merged(**order) == BASE["spec"]


def test_nulls_and_directives_are_removed_from_new_objects_too() -> None:
    made = merge_template(
        {}, {"spec": {"containers": [{"name": "bot", "env": None, "$patch": "merge"}], "volumes": None}}
    )
    assert without_nulls(made) == {"spec": {"containers": [{"name": "bot"}]}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"containers": [{"image": "x"}]}, r"template\.spec\.containers\[0\] has no name"),
        ({"containers": ["bot"]}, r"template\.spec\.containers must be a list of objects"),
        ({"containers": [{"name": "bot", "env": [{"value": "x"}]}]}, r"containers\[0\]\.env\[0\] has no name"),
        ({"nodeSelector": {"$patch": "mend"}}, r"\$patch must be"),
    ],
)
def test_invalid_patches_are_errors(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        merge_template(BASE, {"spec": spec})


def test_a_value_of_another_type_replaces() -> None:
    # Whether it makes sense is Kubernetes' to say, in its own words.
    assert merged(containers="all")["containers"] == "all"
    assert merged(nodeSelector=["a"])["nodeSelector"] == ["a"]
    assert merged(tolerations={"key": "y"})["tolerations"] == {"key": "y"}

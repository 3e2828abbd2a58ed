import json
from pathlib import Path

import pytest

from tests.cluster.service import ClusterError
from tests.kind.cluster import KindCluster
from tests.kind.provider import Provider
from tests.unit.kind.conftest import FakeMachine


@pytest.fixture
def cluster(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KindCluster:
    provider = Provider(engine=machine.engine("docker"), node_image="node:1")
    return KindCluster("one", provider=provider, states=tmp_path / "states", environ=machine.environ)


def add(machine: FakeMachine, *, clusters: str = "", fails: tuple[str, ...] = ()) -> None:
    machine.add("docker")
    machine.add("kind", prints=clusters, fails=fails)
    machine.add("kubectl", prints="True")


def kind_calls(machine: FakeMachine) -> list[str]:
    return [" ".join(call.split()[1:3]) for call in machine.calls() if call.startswith("kind ")]


def test_it_is_there_from_beginning_to_end_of_the_block(machine: FakeMachine, cluster: KindCluster) -> None:
    add(machine, clusters="another\n")
    with cluster:
        assert kind_calls(machine) == ["get clusters", "create cluster"]
    assert kind_calls(machine)[-1] == "delete cluster"
    [create] = [call for call in machine.calls() if call.startswith("kind create")]
    assert "--name one --image node:1" in create
    config = json.loads((cluster.kubeconfig().parent / "kind.json").read_text())
    assert Path(config["nodes"][0]["extraMounts"][0]["hostPath"]).is_file()


def test_one_that_is_there_is_not_made_again(machine: FakeMachine, cluster: KindCluster) -> None:
    add(machine, clusters="another\none\n")
    with pytest.raises(ClusterError, match="a kind cluster named one is there already"):
        cluster.create()
    assert kind_calls(machine) == ["get clusters"]


def test_a_name_that_only_begins_the_same_is_another(machine: FakeMachine, cluster: KindCluster) -> None:
    add(machine, clusters="one-more\n")
    assert not cluster.exists()


def test_a_failed_start_says_why_and_leaves_nothing(machine: FakeMachine, cluster: KindCluster) -> None:
    add(machine, fails=("create",))
    with pytest.raises(ClusterError, match="kind create cluster failed:\nkind cannot create"):
        cluster.create()
    assert kind_calls(machine)[-1] == "delete cluster"


def test_kubectl_speaks_to_this_cluster_and_tells_its_failures(machine: FakeMachine, cluster: KindCluster) -> None:
    add(machine)
    assert cluster.kubectl("get", "pods") == "True"
    assert machine.calls()[-1] == f"kubectl --kubeconfig {cluster.kubeconfig()} get pods"
    machine.add("kubectl", fails=("--kubeconfig",))
    with pytest.raises(ClusterError, match=r"kubectl get pods failed \(exit code 3\)"):
        cluster.kubectl("get", "pods")


def test_a_tar_file_is_given_to_the_node(machine: FakeMachine, cluster: KindCluster, tmp_path: Path) -> None:
    add(machine)
    machine.reads("docker")
    archive = tmp_path / "image.tar"
    archive.write_text("layers")
    cluster.load(archive)
    assert machine.read("docker") == "layers"
    assert machine.calls() == ["docker exec -i one-control-plane ctr -n k8s.io images import --digests -"]

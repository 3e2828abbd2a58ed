import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.binaries import ensure_binaries
from tests.cluster.envtest import REMEMBER_SECONDS, EnvtestAssets
from tests.cluster.gobuild import go_environment, only_one
from tests.cluster.programs import (
    PROGRAMS,
    Program,
    Target,
    ToolError,
    cache_folder,
    is_program,
    programs_of,
    required_version,
    this_machine,
)
from tests.cluster.progress import run_with_progress

TARGET = Target(os="linux", arch="amd64")
# A stand-in for go: notes its arguments, and writes the programs that `build` is to make.
FAKE_GO = """#!/bin/sh
echo "$PWD $*" >>"$GO_CALLS"
[ -z "$GO_FAILS" ] || { echo "cannot build: $GO_FAILS" >&2; exit 1; }
out=""
while [ $# -gt 0 ]; do
    case "$1" in
        -o) out="$2"; shift ;;
        example.com/*) name="${1##*/}"; printf 'built' >"$out$name"; chmod +x "$out$name" ;;
    esac
    shift
done
"""
PROGRAM_A = Program(
    name="a", module="one", requires="example.com/one", package="example.com/one/cmd/a", in_envtest=True
)
PROGRAM_B = Program(
    name="b",
    module="one",
    requires="example.com/one",
    package="example.com/one/cmd/b",
    stamp_kubernetes_version=True,
)
PROGRAM_C = Program(name="c", module="two", requires="example.com/two", package="example.com/two/cmd/c")


class Machine:
    """A machine of its own: cache, PATH with a fake go, pinned modules, and a remembered refusal of downloads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache" / "meetingbots"
        self.tools = folder / "tools"
        self.calls = folder / "go-calls"
        self.environ = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.defpath}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "GO_CALLS": str(self.calls),
            "GO_FAILS": "",
        }
        for module, version in (("one", "v1.34.4"), ("two", "v3.0.0")):
            (self.tools / module).mkdir(parents=True)
            text = f"module m\n\nrequire example.com/{module} {version}\n"
            (self.tools / module / "go.mod").write_text(text)
        self.program(folder / "bin", "go", text=FAKE_GO)
        self.cache.mkdir(parents=True)
        (self.cache / "envtest-1.34").write_text("\n")

    def program(self, folder: Path, name: str, *, text: str = "#!/bin/sh\n") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def ensure(self, *programs: Program, **environ: str) -> Path:
        return ensure_binaries(programs=programs, environ=self.environ | environ, target=TARGET, tools=self.tools)

    def builds(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.is_file() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_missing_is_built_once_by_module(machine: Machine) -> None:
    folder = machine.ensure(PROGRAM_A, PROGRAM_B, PROGRAM_C)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "built", "b": "built", "c": "built"}
    assert (folder / "a").resolve() == (machine.cache / "a-v1.34.4-linux-amd64" / "a").resolve()
    assert len(machine.builds()) == 2
    assert machine.ensure(PROGRAM_A, PROGRAM_B, PROGRAM_C) == folder
    assert len(machine.builds()) == 2


def test_programs_are_built_without_debug_tables(machine: Machine) -> None:
    machine.ensure(PROGRAM_A)
    assert "-gcflags=all=-dwarf=0" in machine.builds()[0]


def test_a_new_version_is_a_new_build(machine: Machine) -> None:
    machine.ensure(PROGRAM_B, PROGRAM_C)
    go_mod = machine.tools / "two" / "go.mod"
    go_mod.write_text(go_mod.read_text().replace("v3.0.0", "v3.1.0"))
    folder = machine.ensure(PROGRAM_B, PROGRAM_C)
    assert (folder / "c").resolve().parent.name == "c-v3.1.0-linux-amd64"
    assert len(machine.builds()) == 3


def test_assets_win_and_only_what_they_lack_is_built(machine: Machine) -> None:
    asset = machine.program(machine.folder / "assets", "a")
    folder = machine.ensure(PROGRAM_A, PROGRAM_B, KUBEBUILDER_ASSETS=str(asset.parent))
    assert (folder / "a").resolve() == asset.resolve()
    assert len(machine.builds()) == 1
    assert "cmd/b" in machine.builds()[0]
    assert "cmd/a" not in machine.builds()[0]


def test_assets_that_are_no_folder_are_refused_by_name(machine: Machine) -> None:
    with pytest.raises(ToolError, match=r"KUBEBUILDER_ASSETS is set to /nowhere/at/all, which is not a folder"):
        machine.ensure(PROGRAM_B, KUBEBUILDER_ASSETS="/nowhere/at/all")


def test_a_file_that_cannot_be_run_is_not_a_program(machine: Machine) -> None:
    asset = machine.program(machine.folder / "assets", "b")
    asset.chmod(0o644)
    machine.ensure(PROGRAM_B, KUBEBUILDER_ASSETS=str(asset.parent))
    assert not is_program(asset)
    assert len(machine.builds()) == 1


def test_a_download_is_preferred_to_a_build(machine: Machine) -> None:
    downloaded = machine.program(machine.folder / "downloaded", "a")
    (machine.cache / "envtest-1.34").write_text(f"{downloaded.parent}\n")
    folder = machine.ensure(PROGRAM_A, PROGRAM_B)
    assert (folder / "a").resolve() == downloaded.resolve()
    assert "cmd/a" not in machine.builds()[0]


def test_a_failed_build_tells_what_go_said_and_leaves_nothing_behind(machine: Machine) -> None:
    with pytest.raises(ToolError, match=r"cannot build: no space"):
        machine.ensure(PROGRAM_B, GO_FAILS="no space")
    assert [path.name for path in machine.cache.iterdir() if path.is_dir()] == []


def test_without_go_the_message_says_what_to_install(machine: Machine) -> None:
    with pytest.raises(ToolError, match=r"b must be built, which needs Go 1\.26 or newer"):
        machine.ensure(PROGRAM_B, PATH=str(machine.folder / "empty"))


def test_without_go_an_installed_program_does_where_the_version_does_not_matter(machine: Machine) -> None:
    path = machine.folder / "installed"
    installed = machine.program(path, "c")
    machine.program(path, "b")
    folder = machine.ensure(replace(PROGRAM_C, on_path=True), PATH=str(path))
    assert (folder / "c").resolve() == installed.resolve()
    with pytest.raises(ToolError, match="b must be built"):
        machine.ensure(PROGRAM_B, PATH=str(path))


def test_with_go_the_pinned_version_is_preferred_to_an_installed_one(machine: Machine) -> None:
    machine.program(machine.folder / "bin", "c")
    folder = machine.ensure(replace(PROGRAM_C, on_path=True))
    assert (folder / "c").read_text() == "built"


def test_groups_have_each_program_once_and_unknown_ones_are_reported() -> None:
    names = [program.name for program in programs_of(["embedded", "kind"])]
    assert sorted(names) == ["etcd", "kind", "kube-apiserver", "kube-controller-manager", "kubectl"]
    with pytest.raises(ToolError, match="no group of programs is called helmet; there are: embedded, kind, node, helm"):
        programs_of(["helmet"])


def test_a_node_is_made_of_pinned_programs_only() -> None:
    node = programs_of(["node"])
    assert {"kubelet", "kubeadm", "kube-proxy", "kube-scheduler", "coredns", "etcd"} <= {each.name for each in node}
    assert not any(program.in_envtest or program.on_path for program in node)
    assert len({program.version() for program in node if program.module == "kubernetes"}) == 1


def test_a_refused_download_is_remembered_for_a_week(tmp_path: Path) -> None:
    now = time.time()
    refused = tmp_path / "envtest-1.34"
    refused.write_text("\n")

    def assets(later: float) -> EnvtestAssets:
        return EnvtestAssets(cache=tmp_path, kubernetes_version="v1.34.4", now=lambda: now + later)

    assert not assets(0).worth_a_try()
    assert not assets(REMEMBER_SECONDS - 60).worth_a_try()
    assert assets(REMEMBER_SECONDS + 60).worth_a_try()
    assert assets(0).known_folder() is None
    refused.unlink()
    assert assets(0).worth_a_try()


def test_a_download_that_was_removed_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "envtest-1.34").write_text(f"{tmp_path / 'gone'}\n")
    assert EnvtestAssets(cache=tmp_path, kubernetes_version="v1.34.4").known_folder() is None


def test_go_builds_for_this_machine_whatever_the_environment_says() -> None:
    result = go_environment(environ={"GOOS": "windows", "GOARCH": "386", "HOME": "/h"}, target=TARGET)
    assert (result["GOOS"], result["GOARCH"], result["HOME"]) == ("linux", "amd64", "/h")


def test_the_pinned_programs_have_versions_and_kubernetes_is_stamped() -> None:
    by_name = {program.name: program for program in PROGRAMS}
    assert {"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} <= by_name.keys()
    version = by_name["kubectl"].version()
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in by_name["kubectl"].ldflags()
    assert "gitVersion" not in by_name["etcd"].ldflags()


def test_a_program_of_our_own_is_built_again_when_its_source_changes(machine: Machine) -> None:
    own = replace(PROGRAM_C, own=True)
    source = machine.tools / "two" / "main.go"
    source.write_text("package main\n")
    first = machine.ensure(own)
    assert machine.ensure(own) == first
    source.write_text("package main // changed\n")
    assert machine.ensure(own) != first
    (machine.tools / "two" / "go.sum").write_text("example.com/two v3.0.0 h1:changed\n")
    machine.ensure(own)
    assert len(machine.builds()) == 3


def test_a_module_that_is_not_required_is_an_error(tmp_path: Path) -> None:
    go_mod = tmp_path / "go.mod"
    go_mod.write_text("module m\n\nrequire (\n\texample.com/a v1.0.0 // indirect\n)\n")
    assert required_version(go_mod=go_mod, module="example.com/a") == "v1.0.0"
    with pytest.raises(ToolError, match=r"does not require example\.com/b"):
        required_version(go_mod=go_mod, module="example.com/b")


def test_the_cache_follows_xdg_and_ignores_relative_paths() -> None:
    assert cache_folder(environ={"XDG_CACHE_HOME": "/c"}) == Path("/c/meetingbots")
    assert cache_folder(environ={"XDG_CACHE_HOME": "c"}) == Path.home() / ".cache" / "meetingbots"
    assert cache_folder(environ={}) == Path.home() / ".cache" / "meetingbots"


def test_this_machine_is_named_as_go_does() -> None:
    assert this_machine().os == ("darwin" if sys.platform == "darwin" else "linux")
    assert this_machine().arch not in {"x86_64", "aarch64"}


def test_a_second_build_waits_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    holder = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read(1)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        waiter = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from tests.cluster.gobuild import only_one\n"
                "with only_one(Path(sys.argv[1]), waiting='waits'): print('mine')",
                str(lock),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        with waiter:
            assert waiter.stderr is not None
            assert waiter.stderr.readline() == "tools: waits\n"
            assert waiter.poll() is None
            process.communicate("x")
            assert waiter.communicate()[0] == "mine\n"
    with only_one(lock, waiting="nobody is there"):
        pass
    assert capfd.readouterr().err == ""


def test_a_command_is_stopped_at_its_time_limit_and_its_progress_shown(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    done = run_with_progress(
        [sys.executable, "-S", "-c", "import time; time.sleep(60)"], label="nap", limit_seconds=0.5, every_seconds=0.1
    )
    assert done.code is None
    assert time.monotonic() - started < 5
    assert "tools: nap: 0 s" in capsys.readouterr().err

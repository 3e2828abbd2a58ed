import resource
import tomllib
from pathlib import Path

from tests.kind.podman_settings import Limits, containers_conf, write_settings

LIMITS = Limits(files=20_000, processes=10_000)


def test_limits_are_what_the_machine_may_give() -> None:
    found = tomllib.loads(containers_conf(cgroup_v2=True, runc="/usr/sbin/runc", limits=LIMITS))
    assert found == {
        "containers": {"default_ulimits": ["nofile=20000:20000", "nproc=10000:10000"], "pids_limit": 0},
    }
    assert LIMITS.build_options == ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert 0 < Limits.here().files <= (hard if hard != resource.RLIM_INFINITY else Limits.here().files)


def test_old_cgroups_get_runc_and_plain_cgroups() -> None:
    found = tomllib.loads(containers_conf(cgroup_v2=False, runc="/usr/sbin/runc", limits=LIMITS))
    assert found["engine"] == {"runtime": "/usr/sbin/runc", "cgroup_manager": "cgroupfs"}


def test_the_file_is_written_once_and_again_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "a" / "containers.conf"
    write_settings(path, cgroup_v2=True, runc="runc", limits=LIMITS)
    written = path.stat().st_mtime_ns
    write_settings(path, cgroup_v2=True, runc="runc", limits=LIMITS)
    assert path.stat().st_mtime_ns == written
    write_settings(path, cgroup_v2=False, runc="runc", limits=LIMITS)
    assert "cgroupfs" in path.read_text()

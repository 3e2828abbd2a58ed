"""ServiceAccount tokens in projected volumes: asked for as the kubelet does, bound to the Pod.

The double has no mounts: the files lie in the Pod's folder, and values of the environment that lead below a mount's
path lead there instead.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.kubelet.client import Client

Object = dict[str, Any]
DEFAULT_SECONDS = 3600


async def mounted(container: Object, *, pod: Object, client: Client, folder: Path) -> dict[str, Path]:
    """Where each of the container's volumes with tokens is: mount path to folder. The tokens are made anew."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    found: dict[str, Path] = {}
    for mount in container.get("volumeMounts") or []:
        for source in _token_sources(volumes.get(mount["name"], {})):
            place = folder / "volumes" / mount["name"]
            file = place / source["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(await _token(source, pod=pod, client=client))
            found[mount["mountPath"].rstrip("/")] = place
    return found


def relocated(environment: Mapping[str, str], mounts: Mapping[str, Path]) -> dict[str, str]:
    """The environment with paths below a mount leading to where the files really are."""
    return {name: _real(value, mounts) for name, value in environment.items()}


def _real(value: str, mounts: Mapping[str, Path]) -> str:
    for path, place in mounts.items():
        if value == path or value.startswith(f"{path}/"):
            return str(place) + value.removeprefix(path)
    return value


def _token_sources(volume: Object) -> Iterator[Object]:
    for source in volume.get("projected", {}).get("sources") or []:
        # Pods that ask for it get one of these by admission; what the API server takes, no test needs.
        if source.get("serviceAccountToken", {}).get("audience"):
            yield source["serviceAccountToken"]


async def _token(source: Object, *, pod: Object, client: Client) -> str:
    meta = pod["metadata"]
    account = pod["spec"].get("serviceAccountName") or "default"
    bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    spec = {"audiences": [source["audience"]], "boundObjectRef": bound}
    spec["expirationSeconds"] = source.get("expirationSeconds", DEFAULT_SECONDS)
    path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
    answer = await client.request("POST", path, {"spec": spec})
    return str(answer["status"]["token"])

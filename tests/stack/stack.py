"""One installation of the product on a test cluster: rights, operator, receiver, and the Zoom it talks to."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.controlplane import ControlPlane
from tests.cluster.flags import in_url
from tests.cluster.warden import Warden
from tests.stack.processes import Program, free_port
from tests.stack.rights import grant


class Stack:
    """Operator and receiver for the namespaces `served` (none: all), in the system namespace `system`.

    They listen on the cluster's loopback address.

    `module` is the Python module that is the command, `zoom_url` the base of the Zoom simulator. `settings` are further
    MEETINGBOTS_ variables without the prefix, `environment` other variables.
    """

    def __init__(
        self,
        cluster: ControlPlane,
        *,
        zoom_url: str,
        system: str,
        served: tuple[str, ...] = (),
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        module: str = "meetingbots",
    ) -> None:
        self._cluster = cluster
        self._environment = dict(environment or {})
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="meetingbots-stack-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._warden = Warden()
        host, self._address = cluster.host, in_url(cluster.host)
        self.receiver_port = free_port(host)
        self.receiver_url = f"http://{self._address}:{self.receiver_port}"
        self.metrics_ports = {"operator": free_port(host), "receiver": free_port(host)}
        common = {
            "ZOOM_API_URL": f"{zoom_url}/v2",
            "ZOOM_OAUTH_URL": f"{zoom_url}/oauth",
            "PUBLIC_URL": self.receiver_url,
            "SYSTEM_NAMESPACE": system,
            "BOT_IMAGE": "bot-example",
            **(settings or {}),
        }
        scope = [f"--namespace={name}" for name in served] or ["--all-namespaces"]
        health, self.token_port = free_port(host), free_port(host)
        tokens = {"TOKEN_PORT": str(self.token_port), "TOKEN_URL": f"http://{self._address}:{self.token_port}"}
        self.operator = self._program(
            "operator",
            [module, "operator", *scope],
            common | tokens | {"HEALTH_PORT": str(health)},
            health,
            system,
            served,
        )
        arguments = [module, "webhook", f"--port={self.receiver_port}", f"--host={host}", *scope]
        self.receiver = self._program("receiver", arguments, common, self.receiver_port, system, served)
        port = self.second_receiver_port = free_port(host)
        arguments = [module, "webhook", f"--port={port}", f"--host={host}", *scope]
        self.second_receiver = self._program("receiver", arguments, common, port, system, served, replica=2)
        """A second replica, which is not started with the others."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start both processes side by side and wait until they are ready."""
        try:
            self.operator.start(wait=False)
            self.receiver.start(wait=False)
            self.operator.wait_ready()
            self.receiver.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both, and remove the logs unless a folder was given."""
        self.operator.stop()
        self.receiver.stop()
        self.second_receiver.stop()
        self._warden.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def webhook_url(self, client_id: str) -> str:
        """What is to be set as the event notification endpoint of the Zoom app."""
        return f"{self.receiver_url}/webhooks/{client_id}"

    def _program(
        self,
        process: str,
        arguments: list[str],
        settings: Mapping[str, str],
        ready_port: int,
        system: str,
        served: tuple[str, ...],
        *,
        replica: int = 1,
    ) -> Program:
        kubeconfig = grant(self._cluster, process, system=system, served=served)  # type: ignore[arg-type]
        environment = {f"MEETINGBOTS_{key}": value for key, value in settings.items()} | {
            "KUBECONFIG": str(kubeconfig),
            "MEETINGBOTS_METRICS_PORT": str(self.metrics_ports[process] if replica == 1 else 0),
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }
        return Program(
            arguments,
            environment=environment,
            ready_url=f"http://{self._address}:{ready_port}/readyz",
            log=self.folder / (f"{process}.log" if replica == 1 else f"{process}-{replica}.log"),
            warden=self._warden,
        )

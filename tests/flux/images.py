"""Images of Flux's controller and of the server that keeps commits for it."""

from dataclasses import dataclass
from pathlib import Path

from meetingbots import __version__

from tests.flux.programs import KUSTOMIZE_CONTROLLER, controller_folder
from tests.kind.cluster import KindCluster
from tests.kind.engine import Engine
from tests.kind.project_images import ProjectImages

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class FluxImages:
    """Tags of the images, as the engine and Pods name them."""

    controller: str
    artifacts: str

    def load(self, cluster: KindCluster) -> None:
        """Give them to the cluster's node."""
        cluster.load(self.controller)
        cluster.load(self.artifacts)


def build_flux_images(images: ProjectImages, *, engine: Engine) -> FluxImages:
    """Build both; the controller's program takes minutes, once."""
    made = FluxImages(
        controller=f"localhost/meetingbots-{KUSTOMIZE_CONTROLLER.name}:{KUSTOMIZE_CONTROLLER.version()}",
        artifacts=f"localhost/meetingbots-flux-artifacts:{__version__}",
    )
    engine.build(
        file=FOLDER / "controller.Containerfile", context=controller_folder(), tag=made.controller, network=False
    )
    engine.build(
        file=FOLDER / "artifacts.Containerfile",
        context=FOLDER,
        tag=made.artifacts,
        arguments={"MEETINGBOTS_IMAGE": images.operator},
        network=False,
    )
    return made

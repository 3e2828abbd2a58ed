"""Writes examples/gitops/argocd/argocd-cm.yaml again from the scripts beside it: `python -m tests.gitops.argocd_cm`."""

import sys
from pathlib import Path
from textwrap import indent
from typing import Final

from meetingbots.models.names import BOT_KIND, CREDENTIAL_KIND, GROUP, MAPPING_KIND

ARGOCD: Final = Path(__file__).resolve().parents[2] / "examples" / "gitops" / "argocd"
CONFIG_MAP: Final = ARGOCD / "argocd-cm.yaml"
KEY_PREFIX: Final = "resource.customizations.health."
_HEAD: Final = """\
# Health checks of our kinds for Argo CD, as keys of its ConfigMap argocd-cm. Without them it has no health for these
# kinds, and an Application is Healthy whatever becomes of them. Made from health/ by `make gitops-files`.
#
# This adds the keys and leaves the others as they are:
#   kubectl apply --server-side --field-manager=meetingbots-health -f examples/gitops/argocd/argocd-cm.yaml
# With Argo CD's Helm chart they go under configs.cm.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
"""


def text() -> str:
    """The file as it is to be."""
    parts = [_HEAD]
    for kind in (CREDENTIAL_KIND, MAPPING_KIND, BOT_KIND):
        script = (ARGOCD / "health" / f"{kind}.lua").read_text(encoding="utf-8")
        parts.append(f"  {KEY_PREFIX}{GROUP}_{kind}: |\n{indent(script, '    ')}")
    return "".join(parts)


def main() -> int:
    """Write it."""
    CONFIG_MAP.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

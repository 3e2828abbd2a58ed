"""Builds, checks and publishes a release (`make release`): images, chart, Python packages, CRDs, SBOM, krew plugin."""

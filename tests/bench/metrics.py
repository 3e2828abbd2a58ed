"""Reads the metrics that a process serves."""

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def read_metrics(base_url: str) -> Iterator[Sample]:
    """Every sample of `/metrics` below a loopback URL. Raises OSError if nothing answers."""
    with urllib.request.urlopen(f"{base_url}/metrics", timeout=60) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        yield from family.samples

"""Which fields of an object belong to whom, by the API server's own account (managedFields)."""

from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]


def fields_by_manager(obj: dict[str, Any]) -> dict[str, set[Path]]:
    """The fields that each manager has set, as paths of managedFields' own words; lists as items of their keys."""
    owned: dict[str, set[Path]] = {}
    for entry in obj["metadata"].get("managedFields", []):
        owned.setdefault(entry["manager"], set()).update(_leaves(entry["fieldsV1"], ()))
    return owned


def _leaves(node: dict[str, Any], above: Path) -> Iterator[Path]:
    for name, below in node.items():
        if name == ".":
            continue
        here = (*above, name)
        if below:
            yield from _leaves(below, here)
        else:
            yield here

"""The default Pod template of bots: a YAML file with metadata and spec."""

from __future__ import annotations

from typing import Any

import yaml

_MOST_BYTES = 256 * 1024


class TemplateFileError(ValueError):
    """The file is not a Pod template; the text says why."""


def parse_template(content: bytes) -> dict[str, Any]:
    """The template in a file: a mapping with `metadata`, `spec` or both. Raises `TemplateFileError`."""
    if len(content) > _MOST_BYTES:
        raise TemplateFileError(f"is larger than {_MOST_BYTES} bytes")
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise TemplateFileError(f"is not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not set(found) <= {"metadata", "spec"}:
        raise TemplateFileError("must have metadata and spec of a Pod template, and nothing else")
    for key, value in found.items():
        if not isinstance(value, dict):
            raise TemplateFileError(f"must have an object under {key}")
    return found

"""Access to the fields of a Pod template, which may have any shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 32
"""A PodTemplateSpec of Kubernetes nests about 12 levels deep."""
_MAX_NUMBER: Final = 2**63
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_NAMED_LEVELS: Final = 4
"""How many levels of a field's path an error names."""


class TemplateError(ValueError):
    """The template cannot become a bot's Pod. The text starts with the field's path and says what to change."""


def check_content(template: Mapping[str, Any]) -> None:
    """Check a template before anything recurses into it. Raises `TemplateError`.

    Kubernetes stores objects that nest thousands of levels deep, and strings that no container can get.
    """
    pending: list[tuple[Any, int, str]] = [(template, 0, "template")]
    while pending:
        value, depth, at = pending.pop()
        if depth > MAX_DEPTH:
            raise TemplateError(f"{at} nests more than {MAX_DEPTH} levels deep: flatten the template")
        if isinstance(value, Mapping):
            for key, item in value.items():
                _check_text(str(key), at=f"a key in {at}")
                pending.append((item, depth + 1, f"{at}.{key}" if depth < _NAMED_LEVELS else at))
        elif isinstance(value, list):
            pending += ((item, depth + 1, at) for item in value)
        elif isinstance(value, str):
            _check_text(value, at=at)
        elif isinstance(value, int | float) and not abs(value) < _MAX_NUMBER:
            raise TemplateError(f"{at} is a number that Kubernetes cannot store: use a smaller one")


def is_text(value: str) -> bool:
    """Whether a container can get this text in its environment: it has no NUL and no lone surrogate."""
    return _NO_TEXT.search(value) is None


def mapping(parent: dict[str, Any], key: str, *, at: str) -> dict[str, Any]:
    """The object under `key`; empty if it is absent or null. Raises `TemplateError`."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{at}.{key} must be an object")
    return value


def objects(parent: dict[str, Any], key: str, *, at: str) -> list[dict[str, Any]]:
    """The list of objects under `key`; empty if it is absent or null. Raises `TemplateError`."""
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TemplateError(f"{at}.{key} must be a list of objects")
    return value


def is_null(parent: Mapping[str, Any], key: str) -> bool:
    """Whether `key` is explicitly null, which removes a default."""
    return key in parent and parent[key] is None


def _check_text(value: str, *, at: str) -> None:
    if not is_text(value):
        raise TemplateError(f"{at} holds a NUL or half of a surrogate pair, which no container can get: remove it")

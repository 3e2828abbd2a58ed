"""Access to the fields of a Pod template, which may have any shape."""

from __future__ import annotations

from typing import Any


class TemplateError(ValueError):
    """The template cannot become a bot's Pod. The text starts with the field's path and says what to change."""


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

"""What `--help` says of each flag: what to put there and its default, in words for people instead of Python's types."""

from __future__ import annotations

import re
from argparse import Action, ArgumentParser
from typing import Any, Final

from pydantic_settings import BaseSettings, CliSettingsSource

_STANDS_FOR: Final = {
    "namespace": "NAMESPACE",
    "url": "URL",
    "level": "LEVEL",
    "format": "FORMAT",
    "port": "PORT",
    "host": "ADDRESS",
    "hosts": "HOST[,HOST...]",
    "image": "IMAGE",
    "file": "FILE",
    "name": "NAME",
}
"""What stands for a flag's value, by the last word of the flag."""

_DEFAULT: Final = re.compile(r" ?\(default(?P<made> factory)?: (?P<value>[^)]*(?:\(\))?)\)$")
_NOTHING: Final = frozenset({"", "()", "None", "False"})


def help_source(settings: type[BaseSettings]) -> CliSettingsSource[Any]:
    """The flags of these settings, with help that people can read."""
    return CliSettingsSource(settings, add_argument_method=_add_argument)


def _add_argument(parser: ArgumentParser, *flags: str, **options: Any) -> Action:
    if options.get("metavar"):
        options["metavar"] = _STANDS_FOR.get(flags[-1].rpartition("-")[2], "VALUE")
    if "help" in options:
        options["help"] = _readable(options["help"])
    return ArgumentParser.add_argument(parser, *flags, **options)


def _readable(text: str) -> str:
    """Without a default that says nothing, or that is worked out and told in words before."""
    found = _DEFAULT.search(text)
    if found is None:
        return text
    said = text[: found.start()]
    if found["made"] or found["value"] in _NOTHING:
        return said
    value = found["value"].lower() if found["value"] == "TEXT" else found["value"]
    return f"{said} (default: {value})"

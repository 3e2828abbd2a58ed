"""`--help` with placeholders and defaults in words instead of Python's types."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, CliSettingsSource

_PLACEHOLDERS: Final = {
    "namespace": "NAMESPACE",
    "url": "URL",
    "level": "LEVEL",
    "format": "FORMAT",
    "port": "PORT",
    "host": "ADDRESS",
    "hosts": "HOST[,HOST...]",
    "image": "IMAGE",
    "file": "FILE",
    "dir": "FOLDER",
    "name": "NAME",
    "percent": "PERCENT",
    "finished": "SECONDS",
}
"""The placeholder of a flag's value, by the last word of the flag."""


def help_source(settings: type[BaseSettings]) -> CliSettingsSource[Any]:
    """The flags of these settings, with readable help."""
    fields = {f"--{name.replace('_', '-')}": field for name, field in settings.model_fields.items()}

    def add_argument(parser: ArgumentParser, *flags: str, **options: Any) -> Action:
        flag = flags[-1]
        if flag in fields:
            options["help"] = _help(fields[flag])
            if options.get("metavar"):
                options["metavar"] = _PLACEHOLDERS.get(flag.rpartition("-")[2], "VALUE")
        return ArgumentParser.add_argument(parser, *flags, **options)

    return CliSettingsSource(settings, add_argument_method=add_argument)


def _help(field: FieldInfo) -> str:
    default = "" if field.default_factory or not field.default else f" (default: {field.default})"
    return f"{field.description}{default}"

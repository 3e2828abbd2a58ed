"""The command line: ``meetingbots operator``, ``meetingbots webhook``, ``meetingbots crds``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from meetingbots import __version__
from meetingbots.bots.reconcile.default_template import read_template
from meetingbots.cli_help import help_source
from meetingbots.kube.connection import ClusterAccessError
from meetingbots.models.crds import crd_text, crds, write_crds
from meetingbots.process.operator import run_operator
from meetingbots.receiver.process import run_receiver
from meetingbots.runtime.process_setup import configure_logging
from meetingbots.runtime.settings import OperatorSettings, ReceiverSettings, Settings, TemplateFileError
from meetingbots.zoom.http.exchange import CertificatesError, check_certificates
from meetingbots.zoom.http.proxies import ProxyError, ProxySettings

S = TypeVar("S", bound=Settings)

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 2: the command line or a setting is wrong."""
    parser = argparse.ArgumentParser(prog="meetingbots", description="Zoom join tokens for meeting bots on Kubernetes")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("operator", add_help=False, help="run the operator (see: meetingbots operator --help)")
    commands.add_parser("webhook", add_help=False, help="run the receiver of webhooks and connect pages")
    definitions = commands.add_parser("crds", help="write the custom resource definitions as YAML")
    definitions.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write into this folder (default: standard output)"
    )
    known, rest = parser.parse_known_args(arguments)
    match known.command:
        case "operator":
            return _serve(OperatorSettings, rest, prog="meetingbots operator")
        case "webhook":
            return _serve(ReceiverSettings, rest, prog="meetingbots webhook")
        case _:
            if rest:
                parser.error(f"unrecognized arguments: {' '.join(rest)}")
            return _crds(known.output)


def _serve(kind: type[S], arguments: Sequence[str], *, prog: str) -> int:
    try:
        settings = _settings(kind, arguments, prog=prog)
        _check_surroundings(settings)
    except (ValidationError, SettingsError) as error:
        print(f"{prog}: {_explain(error)}", file=sys.stderr)
        return _USAGE
    except TemplateFileError as error:
        print(f"{prog}: {_sentence(('bot_template_file',), str(error))}", file=sys.stderr)
        return _USAGE
    except (ProxyError, CertificatesError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return _USAGE
    configure_logging(settings)
    try:
        if isinstance(settings, OperatorSettings):
            return asyncio.run(run_operator(settings))
        assert isinstance(settings, ReceiverSettings)  # noqa: S101 - narrows the type
        return asyncio.run(run_receiver(settings))
    except (ClusterAccessError, OSError) as error:  # OSError: mostly a port that is taken
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _settings(kind: type[S], arguments: Sequence[str], *, prog: str) -> S:
    about = (kind.__doc__ or "").replace("``", "")
    described = f"{about} Each flag is also an environment variable, for example MEETINGBOTS_LOG_LEVEL for --log-level."
    body = {"__doc__": described, "model_config": {**kind.model_config, "cli_prog_name": prog}}
    named = type(kind.__name__, (kind,), body)
    settings: S = CliApp.run(named, cli_args=list(arguments), cli_settings_source=help_source(named))
    return settings


def _check_surroundings(settings: Settings) -> None:
    """Read the default template, the proxies and certificates once, so that a fault ends the process at its start.

    Raises `TemplateFileError`, `ProxyError` and `CertificatesError`.
    """
    if isinstance(settings, OperatorSettings):
        ProxySettings.from_environment(os.environ)
        check_certificates(os.environ)
        if settings.bot_template_file is not None:
            read_template(settings.bot_template_file)
        directory = settings.token_tls_dir
        missing = [one for one in ("tls.crt", "tls.key") if directory is not None and not (directory / one).is_file()]
        if missing:
            raise CertificatesError(_sentence(("token_tls_dir",), f"has no file {missing[0]}"))


def _explain(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):
        return str(error).removeprefix("error parsing CLI: ")
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(_sentence(item["loc"], item["msg"]) for item in details)


def _sentence(location: tuple[int | str, ...], text: str) -> str:
    words = text.removeprefix("Value error, ").replace("Input should", "must").partition(", unable to parse")[0]
    if not location:
        return words
    name = str(location[0])
    return f"--{name.replace('_', '-')} (or MEETINGBOTS_{name.upper()}) {words}"


def _crds(output: Path | None) -> int:
    if output is None:
        sys.stdout.write("---\n".join(crd_text(crd) for crd in crds()))
    else:
        write_crds(output)
    return 0

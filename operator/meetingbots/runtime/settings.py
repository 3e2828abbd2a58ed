"""Settings of both processes: flags, or environment variables that start with ``MEETINGBOTS_``."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, CliImplicitFlag, NoDecode, SettingsConfigDict

from meetingbots.models.base import MAX_SECONDS
from meetingbots.zoom.oauth import DEFAULT_API_URL, DEFAULT_OAUTH_URL

_MOST_BYTES = 256 * 1024
_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_OBJECT_NAME = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


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


class LogFormat(StrEnum):
    """Format of log lines."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """Lowest severity of log lines."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def _own_namespace() -> str:
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
    except OSError:
        return "meetingbots-system"


def _split(value: Any) -> tuple[str, ...]:
    """Accept ``a,b`` and repeated flags."""
    parts = (part.strip() for item in ([value] if isinstance(value, str) else value) for part in str(item).split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _base_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be an http or https URL with a host and without query, fragment or password")
    return value.rstrip("/")


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Hosts = Annotated[Names, BeforeValidator(lambda value: [host.lower() for host in _split(value)])]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
OptionalBaseUrl = Annotated[str, AfterValidator(lambda value: value and _base_url(value))]


class Settings(BaseSettings):
    """Settings of both processes."""

    model_config = SettingsConfigDict(
        env_prefix="MEETINGBOTS_",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    namespace: Names = Field(default=(), description="serve only this namespace; repeat the flag for several")
    all_namespaces: CliImplicitFlag[bool] = Field(
        default=False, description="serve all namespaces, which is also the default without --namespace"
    )
    system_namespace: str = Field(
        default_factory=_own_namespace, description="namespace of the operator's own Secrets (default: where it runs)"
    )
    public_url: OptionalBaseUrl = Field(
        default="", description="base URL of webhooks and connect links, as seen from the internet"
    )
    log_level: Annotated[LogLevel, BeforeValidator(lambda value: str(value).upper())] = Field(
        default=LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Annotated[LogFormat, BeforeValidator(lambda value: str(value).lower())] = Field(
        default=LogFormat.TEXT, description="text or json"
    )
    metrics_port: int = Field(default=9090, ge=0, le=65535, description="port of /metrics; 0: off")

    @field_validator("namespace")
    @classmethod
    def _namespaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(f"is not the name of a namespace: {name!r}")
        return value

    @model_validator(mode="after")
    def _one_scope(self) -> Self:
        if self.namespace and self.all_namespaces:
            raise ValueError("use either --namespace or --all-namespaces, not both")
        return self

    @property
    def namespaces(self) -> tuple[str | None, ...]:
        """The namespaces to serve; ``(None,)`` means all."""
        return self.namespace or (None,)


class OperatorSettings(Settings):
    """Settings of ``meetingbots operator``."""

    zoom_api_url: BaseUrl = Field(default=DEFAULT_API_URL, description="base URL of Zoom's REST API")
    zoom_oauth_url: BaseUrl = Field(default=DEFAULT_OAUTH_URL, description="base URL of Zoom's OAuth endpoints")
    bot_image: str = Field(default="", description="image of container bot unless the MeetingBot's template sets one")
    bot_template_file: Path | None = Field(
        default=None,
        description="YAML file with the default Pod template, into which each MeetingBot's template is merged",
    )
    bot_ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SECONDS,
        description="ttlSecondsAfterFinished of MeetingBots that have a joinAt and do not set it; none: they stay",
    )
    health_port: int = Field(default=8081, ge=0, le=65535, description="port of /healthz and /readyz; 0: off")
    allowed_token_url_hosts: Hosts = Field(
        default=(), description="hosts allowed in accessTokenURL grants; none: no such grant works"
    )
    allowed_notify_url_hosts: Hosts = Field(
        default=(), description="hosts allowed in the Secret meetingbots-notify of a namespace; none: no notifications"
    )
    min_share_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="lower bound for rateLimit.sharePercent of credentials, in percent of a Zoom account's rate limits",
    )
    token_port: int = Field(
        default=0, ge=0, le=65535, description="port of the token endpoint for running bots; 0: off"
    )
    token_url: OptionalBaseUrl = Field(
        default="",
        description="base URL of the token endpoint as the bots' Pods see it, such as http://SERVICE.NAMESPACE:8082; "
        "{hash} stands for the first ten hex digits of the SHA-256 of the bot's namespace",
    )
    token_tls_dir: Path | None = Field(
        default=None,
        description="directory with tls.crt and tls.key for the token endpoint, such as a mounted TLS Secret "
        "(default: plain HTTP)",
    )
    leader_elect: CliImplicitFlag[bool] = Field(
        default=False, description="work only while holding a Lease; further processes stand by"
    )
    lease_name: str = Field(
        default="meetingbots-operator",
        pattern=_OBJECT_NAME,
        max_length=253,
        description="name of the Lease in the system namespace",
    )

    @field_validator("bot_template_file")
    @classmethod
    def _template(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                parse_template(value.read_bytes())
            except OSError as error:
                raise ValueError(f"cannot be read: {error.strerror}") from None
        return value

    @model_validator(mode="after")
    def _whole_token_endpoint(self) -> Self:
        if bool(self.token_port) != bool(self.token_url):
            raise ValueError("--token-port and --token-url need each other: set both or neither")
        return self


class ReceiverSettings(Settings):
    """Settings of ``meetingbots webhook``."""

    host: str = Field(default="", description="address to listen on; empty: all IPv4 and IPv6 addresses")
    port: int = Field(default=8080, ge=0, le=65535, description="port of the webhook and connect pages")
    zoom_oauth_url: BaseUrl = Field(default=DEFAULT_OAUTH_URL, description="base URL of Zoom's OAuth endpoints")
    allowed_return_url_hosts: Hosts = Field(
        default=(), description="hosts allowed in returnURL of connect grants; none: the pages link nowhere"
    )

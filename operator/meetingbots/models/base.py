"""The base of all models: camelCase fields, immutability, safe error messages, times, and extensions of the CRD schema.

The models read Kubernetes objects and write statuses. The CRD schemas are generated from them, so `kubectl explain`
shows their descriptions, defaults and bounds.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

MAX_EPOCH_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999
MAX_INTEGER: Final = 2**53 - 1  # the largest integer that every JSON parser reads exactly
MAX_SECONDS: Final = 31_536_000  # a year
DNS_SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
MEETING_ID_PATTERN: Final = r"^[0-9]{9,11}$"


class ModelError(ValueError):
    """An object does not have the shape of its kind.

    The text is one sentence for a condition or an Event. It names the fields and their faults, and never quotes a
    value, which can be a link, a passcode or an address.
    """


def format_time(moment: datetime) -> str:
    """Format an aware time as Kubernetes does: RFC 3339, UTC, whole seconds (`2026-11-24T12:00:00Z`).

    Fractions of a second are cut off. Raises ValueError for a naive time.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be written")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def _shorten(limit: int) -> BeforeValidator:
    def cut(value: object) -> object:
        if isinstance(value, str) and len(value) > limit:
            return value[: limit - 1] + "…"
        return value

    return BeforeValidator(cut)


Time = Annotated[
    AwareDatetime, AfterValidator(_to_utc), PlainSerializer(format_time, return_type=str, when_used="json-unless-none")
]
"""An aware time in UTC; written with whole seconds and `Z`."""

EpochMilliseconds = Annotated[int, Field(ge=0, le=MAX_EPOCH_MILLISECONDS)]
"""Zoom's event_ts: milliseconds since 1970."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN_PATTERN)]
"""The name of a Kubernetes object."""

MeetingId = Annotated[str, Field(min_length=9, max_length=11, pattern=MEETING_ID_PATTERN)]
"""A Zoom meeting's number: 9 to 11 digits, as text, so that nothing rounds it."""

Message = Annotated[str, _shorten(1024), Field(max_length=1024)]
"""A sentence in a status; longer text is shortened."""


class Model(BaseModel):
    """Immutable, camelCase outside and snake_case inside; unknown fields are ignored, null means absent."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        # For Kubernetes a null is an absent field.
        if isinstance(data, Mapping) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for Kubernetes: camelCase names, times as text, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def atomic() -> ConfigDict:
    """Return the config of a status with a single writer.

    The API server records one field for it instead of each, which costs a fraction of the memory (decision 0013).
    """
    return ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})


def rules(*pairs: tuple[str, str]) -> ConfigDict:
    """Return the config of a model with CEL validation: pairs of rule and message."""
    return ConfigDict(json_schema_extra=extension(*pairs))


def extension(*pairs: tuple[str, str], list_type: str = "", list_key: str = "", **schema: Any) -> dict[str, Any]:
    """Return Kubernetes' extensions for a field's schema.

    `pairs` are CEL rules with their messages, `list_type` is atomic, set or map (with the key `list_key`), `schema` are
    further keywords, such as a `default` that only the API server applies.
    """
    extra: dict[str, Any] = dict(schema)
    if pairs:
        extra["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in pairs]
    if list_type:
        extra["x-kubernetes-list-type"] = list_type
    if list_key:
        extra["x-kubernetes-list-map-keys"] = [list_key]
    return extra


_PLAIN_WORDS: Final = {
    "missing": "is required",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be a text",
}


def describe_error(kind: str, error: ValidationError) -> ModelError:
    """Turn pydantic's error into one safe sentence: at most three fields, no values."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [_tell(location=detail["loc"], kind=detail["type"], text=detail["msg"]) for detail in details[:3]]
    if len(details) > len(shown):
        shown.append(f"and {len(details) - len(shown)} more")
    return ModelError(f"This {kind} is not valid: {'; '.join(shown)}.")


def _tell(*, location: Iterable[int | str], kind: str, text: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    field = path.removeprefix(".") or "the object"
    if kind in _PLAIN_WORDS:
        return f"{field} {_PLAIN_WORDS[kind]}"
    if kind == "value_error":  # one of our own sentences
        return f"{field}: {text.removeprefix('Value error, ')}"
    words = text.removesuffix(".").replace("Input should", "must").replace("String should", "must")
    return f"{field} {words}" if words.startswith("must") else f"{field}: {words}"

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.models.base import Message, Model, Time, describe_error, extension, format_time, rules
from pydantic import Field, ValidationError


class Sample(Model):
    snake_case_name: int = 1
    web_url: str | None = Field(default=None, alias="webURL")
    moment: Time | None = None
    text: Message = ""
    parts: tuple[int, ...] = ()


def test_fields_are_camel_case_outside_and_snake_case_inside() -> None:
    sample = Sample.model_validate({"snakeCaseName": 2, "webURL": "x"})

    assert (sample.snake_case_name, sample.web_url) == (2, "x")
    assert Sample(snake_case_name=2, web_url="x") == sample
    assert sample.to_dict() == {"snakeCaseName": 2, "webURL": "x", "text": "", "parts": []}


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    assert Sample.model_validate({"newInALaterVersion": 1, "snakeCaseName": None, "parts": None}) == Sample()


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Sample().snake_case_name = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given_time", "written"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00Z"),
        ("2026-11-24T12:00:00.999999Z", "2026-11-24T12:00:00Z"),
        ("2026-11-24T13:30:00+01:30", "2026-11-24T12:00:00Z"),
        ("2026-11-24t12:00:00z", "2026-11-24T12:00:00Z"),
    ],
)
def test_times_are_utc_and_written_in_whole_seconds(given_time: str, written: str) -> None:
    sample = Sample.model_validate({"moment": given_time})

    assert sample.moment is not None
    assert sample.moment.tzinfo is UTC
    assert sample.to_dict()["moment"] == written


@pytest.mark.parametrize("bad", ["2026-11-24T12:00:00", "tomorrow", "0001-01-01T00:00:00+01:00"])
def test_times_without_a_zone_or_out_of_range_are_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate({"moment": bad})


def test_format_time_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-7))), min_value=datetime(2000, 1, 2)))  # noqa: DTZ001
def test_times_round_trip_to_the_second(moment: datetime) -> None:
    assert Sample.model_validate({"moment": format_time(moment)}).moment == moment.replace(microsecond=0)


def test_long_messages_are_shortened() -> None:
    assert Sample(text="a" * 1024).text == "a" * 1024
    assert Sample(text="a" * 1025).text == "a" * 1023 + "…"


def test_errors_name_fields_and_quote_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(
            {"snakeCaseName": "hush", "webURL": ["hush"], "moment": "hush", "text": {"hush": 1}, "parts": [1, "hush"]}
        )

    assert "hush" not in str(caught.value)
    assert str(describe_error("Sample", caught.value)) == (
        "This Sample is not valid: snakeCaseName must be a valid integer, unable to parse string as an integer; "
        "webURL must be a text; moment must be a valid datetime or date, input is too short; and 2 more."
    )


def test_extensions_are_written_as_kubernetes_has_them() -> None:
    assert extension(("self.a", "a must be"), list_type="map", list_key="name", default={}) == {
        "default": {},
        "x-kubernetes-validations": [{"rule": "self.a", "message": "a must be"}],
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    assert rules(("self.a", "a must be")) == {
        "json_schema_extra": {"x-kubernetes-validations": [{"rule": "self.a", "message": "a must be"}]}
    }

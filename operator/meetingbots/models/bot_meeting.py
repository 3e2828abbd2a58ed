"""The meeting that a bot joins: a link, an ID, or a link in a Secret."""

from enum import StrEnum

from pydantic import Field, model_validator

from meetingbots.models.base import Model, rules
from meetingbots.models.metadata import SecretKeyReference


class MeetingKind(StrEnum):
    """A meeting or a webinar; Zoom makes their tokens at different addresses."""

    MEETING = "Meeting"
    WEBINAR = "Webinar"


_ONE_MEETING = "exactly one of url, id and urlSecretKeyRef must be set in meeting"


class Meeting(Model):
    """The meeting to join: a link, an ID, or a link in a Secret."""

    model_config = rules(
        ("[has(self.url), has(self.id), has(self.urlSecretKeyRef)].filter(given, given).size() == 1", _ONE_MEETING),
        (
            "!(has(self.passcode) && has(self.passcodeSecretKeyRef))",
            "passcode and passcodeSecretKeyRef exclude each other",
        ),
        (
            "has(self.id) || !(has(self.passcode) || has(self.passcodeSecretKeyRef))",
            "passcode and passcodeSecretKeyRef go with id only; a link carries its own passcode",
        ),
    )

    url: str | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        repr=False,
        description="The meeting's link, as in the invitation. Whoever may read the MeetingBot can read a passcode in "
        "it; use urlSecretKeyRef to keep it apart.",
    )
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="The meeting's ID: 9 to 11 digits; blanks and dashes between them are taken out.",
    )
    url_secret_key_ref: SecretKeyReference | None = Field(
        default=None, description="Secret and key with the meeting's link, in place of url."
    )
    passcode: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        repr=False,
        description="The meeting's passcode, with id. Whoever may read the MeetingBot can read it; use "
        "passcodeSecretKeyRef to keep it apart.",
    )
    passcode_secret_key_ref: SecretKeyReference | None = Field(
        default=None, description="Secret and key with the meeting's passcode, with id, in place of passcode."
    )
    kind: MeetingKind | None = Field(
        default=None,
        description="Whether it is a Meeting or a Webinar. Default: as the link tells, else Meeting.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Meeting":
        if sum(given is not None for given in (self.url, self.id, self.url_secret_key_ref)) != 1:
            raise ValueError(_ONE_MEETING)
        return self

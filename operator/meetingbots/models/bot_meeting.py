"""The meeting that a bot joins: a link, an ID, or a link in a Secret."""

from enum import StrEnum

from pydantic import Field, model_validator

from meetingbots.models.base import Model, rules
from meetingbots.models.metadata import SecretKeyReference


class MeetingKind(StrEnum):
    """A meeting or a webinar; Zoom issues their tokens at different paths."""

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
            "passcode and passcodeSecretKeyRef need id; a link contains its own passcode",
        ),
    )

    url: str | None = Field(
        default=None,
        min_length=1,
        max_length=2048,
        repr=False,
        description="The meeting's link from the invitation. Everyone who can read the MeetingBot can read a passcode "
        "in "
        "the link; use urlSecretKeyRef to keep it secret.",
    )
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="The meeting's ID: 9 to 11 digits; blanks and dashes between the digits are removed.",
    )
    url_secret_key_ref: SecretKeyReference | None = Field(
        default=None, description="Secret and key that contain the meeting's link, instead of url."
    )
    passcode: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        repr=False,
        description="The meeting's passcode; needs id. Everyone who can read the MeetingBot can read it; use "
        "passcodeSecretKeyRef to keep it secret.",
    )
    passcode_secret_key_ref: SecretKeyReference | None = Field(
        default=None, description="Secret and key that contain the meeting's passcode, instead of passcode; needs id."
    )
    kind: MeetingKind | None = Field(
        default=None,
        description="Meeting or Webinar. Default: by the link, else Meeting.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "Meeting":
        if sum(given is not None for given in (self.url, self.id, self.url_secret_key_ref)) != 1:
            raise ValueError(_ONE_MEETING)
        return self

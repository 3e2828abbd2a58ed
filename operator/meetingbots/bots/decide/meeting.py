"""The meeting of a MeetingBot: from its link, its ID, or the Secrets that it names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from meetingbots.models.bot import BotReason, MeetingBot, MeetingKind
from meetingbots.zoom.link_text import COMMON_DOMAIN
from meetingbots.zoom.links import InvalidLink, MeetingLink, parse_meeting
from meetingbots.zoom.oauth import Environment


@dataclass(frozen=True)
class SdkApp:
    """The credentials of a Meeting SDK app."""

    client_id: SecretStr
    client_secret: SecretStr


@dataclass(frozen=True)
class MeetingRef:
    """A meeting that can be joined; its secret values have no repr.

    `host` is the Zoom service (zoom.us, zoomgov.com), `url` the canonical link, `sdk_app` the app of spec.sdkSecretRef.
    `host_given`: the link names the host. Otherwise `host` is a guess, and the credential of the bot's token decides.
    """

    meeting_id: str
    kind: MeetingKind = MeetingKind.MEETING
    host: str = COMMON_DOMAIN
    passcode: SecretStr | None = field(default=None, repr=False)
    registrant_token: SecretStr | None = field(default=None, repr=False)
    url: SecretStr | None = field(default=None, repr=False)
    sdk_app: SdkApp | None = field(default=None, repr=False)
    host_given: bool = True

    def at(self, environment: Environment | None) -> MeetingRef:
        """The meeting with the host of the environment that has it, where the link does not name a host."""
        if self.host_given or environment is None or environment == self.host:
            return self
        url = self.url.get_secret_value().replace(f"//{self.host}/", f"//{environment}/", 1) if self.url else None
        return replace(self, host=environment.value, url=SecretStr(url) if url is not None else None)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """Every secret value, for redaction."""
        app = self.sdk_app
        values = (self.passcode, self.registrant_token, self.url, app.client_secret if app else None)
        return tuple(value for value in values if value is not None)


@dataclass(frozen=True)
class Problem:
    """What blocks a bot: a reason of the contract and a sentence for people.

    `recoverable`: it can pass without an edit of the MeetingBot.
    """

    reason: BotReason
    message: str
    recoverable: bool = False


def template_problem(message: str, *, by_default: bool) -> Problem:
    """A template that cannot become a Pod. `by_default`: the operator's default template alone is invalid, too."""
    if by_default:
        message = f"The operator's default template is invalid, which only the platform's team can change: {message}"
    return Problem(BotReason.TEMPLATE_INVALID, message, recoverable=by_default)


def meeting_link(bot: MeetingBot, *, url: SecretStr | None) -> MeetingLink | Problem:
    """The parsed link or ID of the bot's meeting; `url` is the value of its urlSecretKeyRef, if it has one."""
    meeting = bot.spec.meeting
    text = (url.get_secret_value() if url else None) or meeting.url or meeting.id or ""
    try:
        return parse_meeting(text)
    except InvalidLink as error:
        words = str(error)
        in_secret = meeting.url_secret_key_ref is not None
        return Problem(BotReason.INVALID_MEETING, f"{words[:1].upper()}{words[1:]}.", recoverable=in_secret)


def meeting_ref(
    bot: MeetingBot,
    link: MeetingLink,
    *,
    passcode: SecretStr | None,
    personal_id: str | None = None,
    sdk_app: SdkApp | None = None,
) -> MeetingRef | Problem:
    """The meeting of `link`.

    `passcode` is the value of the bot's passcodeSecretKeyRef, `personal_id` the meeting ID of a personal link.
    """
    meeting = bot.spec.meeting
    meeting_id = link.meeting_id or personal_id
    if meeting_id is None:
        return Problem(
            BotReason.VANITY_LINK,
            "A personal link (zoom.us/my/…) contains no meeting ID, and none of the bot's ZoomCredentials belongs to "
            "its user; set the meeting's ID or its full link.",
            recoverable=True,
        )
    given = passcode or (SecretStr(meeting.passcode) if meeting.passcode else None)
    kind = meeting.kind or (MeetingKind(link.kind.value) if link.kind else MeetingKind.MEETING)
    return MeetingRef(
        meeting_id=meeting_id,
        kind=kind,
        host=link.zoom_host,
        passcode=given or link.passcode,
        registrant_token=link.registrant_token,
        url=link.join_url(meeting_id=meeting_id, passcode=given),
        sdk_app=sdk_app,
        host_given=link.host_given,
    )

"""Reads the meeting from what people paste: links in all of Zoom's forms, meeting IDs, and text around them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import SecretStr

from meetingbots.zoom.link_redirects import unwrapped
from meetingbots.zoom.link_text import (
    COMMON_DOMAIN,
    DOMAINS,
    addresses,
    clean,
    lone_id,
    serve_same_users,
    written_passcode,
    zoom_domain,
)

_MAX_LENGTH: Final = 4096
_ANY_HOST: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9}")
_SEPARATORS: Final = re.compile("[\\s\u2010-\u2015-]")
_VANITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_QUOTED_AND: Final = re.compile(r"%26(?=(?:pwd|tk)(?:=|%3d))", re.IGNORECASE)
_AFTER_VALUE: Final = re.compile(r"[,;:!?]")
"""Punctuation that Zoom quotes in a value: what follows is text behind the link."""
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_UNFIT_IN_SECRETS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_REMEDY: Final = "open it in a browser and copy the link that Zoom shows, or give the meeting ID"


class InvalidLink(ValueError):  # noqa: N818 - the name is the statement
    """The text names no meeting. The message says why and what to do, and quotes no passcode or registrant's token."""


class LinkKind(enum.StrEnum):
    """What an ID belongs to."""

    MEETING = "Meeting"
    WEBINAR = "Webinar"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingLink:
    """A meeting that can be joined. Either ``meeting_id`` or ``vanity`` is set, not both."""

    meeting_id: str | None
    """9 to 11 digits; None in a personal link (``/my/…``)."""
    passcode: SecretStr | None = field(default=None, repr=False)
    """``pwd`` of the link: the passcode, plain or in Zoom's encrypted form."""
    registrant_token: SecretStr | None = field(default=None, repr=False)
    """``tk`` of the link, which admits a registered person."""
    vanity: str | None = None
    """Name of a personal link: ``alice`` of ``https://acme.zoom.us/my/alice``."""
    kind: LinkKind | None = None
    """None when the form of the link does not show it."""
    host: str = COMMON_DOMAIN
    host_given: bool = field(default=False, compare=False)
    """Whether `host` stood in the link; a lone meeting ID does not tell it."""

    @property
    def zoom_host(self) -> str:
        """The Zoom service: ``zoomgov.com`` of ``agency.zoomgov.com``."""
        return zoom_domain(self.host) or COMMON_DOMAIN

    def join_url(self, *, meeting_id: str | None = None, passcode: SecretStr | None = None) -> SecretStr:
        """Return the meeting's canonical link, which **holds the passcode**.

        `meeting_id` replaces the name of a personal link; `passcode` replaces that of the link. The web client's host
        (``app.zoom.us``), whose links the SDK does not know, becomes the domain itself.
        """
        host = self.zoom_host if self.host == f"app.{self.zoom_host}" else self.host
        number = self.meeting_id or meeting_id
        form = "w" if self.kind is LinkKind.WEBINAR else "j"
        path = f"{form}/{number}" if number is not None else f"my/{_quoted(self.vanity or '')}"
        secrets = (("pwd", passcode or self.passcode), ("tk", self.registrant_token))
        query = "&".join(f"{key}={_quoted(value.get_secret_value())}" for key, value in secrets if value)
        return SecretStr(f"https://{host}/{path}{'?' if query else ''}{query}")

    def is_personal_link_of(self, vanity_url: str) -> bool:
        """Return whether this is the personal link of the user with that ``vanity_url``; names ignore case."""
        if self.vanity is None or not vanity_url:
            return False
        parts = urlsplit(vanity_url if "/" in vanity_url else f"https://{COMMON_DOMAIN}/my/{vanity_url}")
        name = parts.path.partition("/my/")[2].strip("/")
        host = (parts.hostname or COMMON_DOMAIN).lower()
        return name.lower() == self.vanity.lower() and serve_same_users(host, self.host)


def parse_meeting(text: str) -> MeetingLink:
    """Read the meeting from a link, a meeting ID, or a text that contains one.

    Accepts ``https://[sub.]zoom.us/j/ID?pwd=…&tk=…`` (also ``/w/``, ``/s/``, ``/wc/join/ID``, ``/wc/ID/join``,
    ``/join?confno=ID``, ``/meeting/ID``, ``/my/NAME``) on all of Zoom's domains, with or without ``https://``;
    ``zoommtg://zoom.us/join?confno=ID``, ``zoomus://`` and ``intent://``; IDs as people write them
    (``812 3456 7890``); any of these behind a known redirect. A passcode that stands beside the link
    counts when the link has none.

    Raises:
        InvalidLink: the text names no meeting, or more than one.

    """
    if len(text) > _MAX_LENGTH:
        raise InvalidLink(f"the meeting link is longer than {_MAX_LENGTH} characters")
    text = clean(text)
    if not text:
        raise InvalidLink("the meeting link is empty")
    meeting = _meeting_in(text)
    if meeting.passcode is None:
        return replace(meeting, passcode=_secret({"pwd": written_passcode(text) or ""}, "pwd"))
    return meeting


def parse_meeting_id(text: str) -> str:
    """Read a meeting ID, with or without blanks and dashes; return its 9 to 11 digits.

    Raises:
        InvalidLink: it is not one.

    """
    digits = _SEPARATORS.sub("", text)
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidLink("a meeting ID has only digits, with blanks or dashes between them")
    if not 9 <= len(digits) <= 11:
        raise InvalidLink(f"a meeting ID has 9 to 11 digits, this one has {len(digits)}")
    return digits


def _meeting_in(text: str) -> MeetingLink:
    links = addresses(text)
    if not links:
        return _without_link(text)
    found: list[MeetingLink] = []
    refusals: list[InvalidLink] = []
    for link in links:
        try:
            found.append(_meeting_of(unwrapped(link)))
        except InvalidLink as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    if len({(one.meeting_id, one.vanity) for one in found}) > 1:
        raise InvalidLink("the text has the links of several meetings; give one of them")
    return max(found, key=lambda one: (one.passcode is not None) + (one.registrant_token is not None))


def _without_link(text: str) -> MeetingLink:
    number = lone_id(text)
    if number is not None:
        return MeetingLink(meeting_id=parse_meeting_id(number))
    if not _SEPARATORS.sub("", text).strip("0123456789"):
        return MeetingLink(meeting_id=parse_meeting_id(text))
    if "/" in text:
        raise InvalidLink(f"the link is not one of Zoom's ({', '.join(DOMAINS)} or a name below them); {_REMEDY}")
    raise InvalidLink("this is neither a Zoom meeting link nor a meeting ID of 9 to 11 digits")


def _meeting_of(link: str) -> MeetingLink:
    parts, host = _split(link)
    query = _query(parts.query)
    if parts.scheme in ("zoommtg", "zoomus") or parts.path.rstrip("/") in ("/join", "/start"):
        if "confno" not in query:
            raise InvalidLink("this link has no meeting ID (confno)")
        meeting = MeetingLink(meeting_id=parse_meeting_id(query["confno"]), host=host, host_given=True)
    else:
        meeting = replace(_of_path(parts.path), host=host, host_given=True)
    return replace(meeting, passcode=_secret(query, "pwd"), registrant_token=_secret(query, "tk"))


def _split(link: str) -> tuple[SplitResult, str]:
    if _UNFIT.search(link):
        raise InvalidLink("the meeting link holds backslashes or control characters")
    if "://" not in link:
        link = f"https://{link}"
    address, _, quoted_query = link.partition("%3F" if "%3F" in link else "%3f")
    if quoted_query and "?" not in address:
        link = f"{address}?{unquote(quoted_query)}"
    elif "?" not in link:
        link = link.replace("&", "?", 1)
    try:
        parts = urlsplit(link)
        host, port, user = (parts.hostname or "").lower(), parts.port, parts.username
    except ValueError:
        raise InvalidLink("the meeting link is not a well-formed address") from None
    if parts.scheme not in ("https", "http", "zoommtg", "zoomus", "intent"):
        raise InvalidLink("a meeting link begins with https:// or zoommtg://")
    if user is not None or port not in (None, 443):
        raise InvalidLink("a meeting link has no user name and no port")
    if zoom_domain(host) is None:
        named = f" ({host})" if _ANY_HOST.fullmatch(host) else ""
        raise InvalidLink(
            f"the host{named} is not one of Zoom's ({', '.join(DOMAINS)} or a name below them); if the link leads to a "
            f"Zoom meeting, {_REMEDY}"
        )
    return parts, host


def _of_path(path: str) -> MeetingLink:
    pieces = [unquote(piece) for piece in path.split("/") if piece]
    match [piece.lower() for piece in pieces[:1]] + pieces[1:]:
        case ["j" | "s", number]:
            return MeetingLink(meeting_id=parse_meeting_id(number), kind=LinkKind.MEETING)
        case ["w", number]:
            return MeetingLink(meeting_id=parse_meeting_id(number), kind=LinkKind.WEBINAR)
        case ["my", name] if _VANITY.fullmatch(name):
            return MeetingLink(meeting_id=None, vanity=name)
        case ["my", *_]:
            raise InvalidLink("this personal link (/my/...) has no name that Zoom could know")
        case ["wc", "join", number] | ["wc", number, "join" | "start"] | ["wc", number] | ["launch", "jc", number]:
            return MeetingLink(meeting_id=parse_meeting_id(number))
        case ["meeting" | "webinar", "register", *_]:
            raise InvalidLink("this is a registration page; give the link of the confirmation, or the meeting ID")
        case ["meeting" | "skype", number] if number.isdecimal():  # the portal's page of a meeting
            return MeetingLink(meeting_id=parse_meeting_id(number), kind=LinkKind.MEETING)
        case ["webinar", number] if number.isdecimal():
            return MeetingLink(meeting_id=parse_meeting_id(number), kind=LinkKind.WEBINAR)
    raise InvalidLink(
        "this Zoom link has no meeting ID: expected /j/ID, /w/ID, /wc/join/ID, /wc/ID/join or /my/NAME; " + _REMEDY
    )


def _query(text: str) -> dict[str, str]:
    """Read a query. A plus stays a plus: encrypted passcodes may hold it, and no passcode holds a blank."""
    found: dict[str, str] = {}
    for pair in _QUOTED_AND.sub("&", text).split("&"):
        key, _, value = (pair if "=" in pair else unquote(pair)).partition("=")
        value = _AFTER_VALUE.split(value, maxsplit=1)[0]
        if value:
            found.setdefault(unquote(key).lower(), unquote(value))
    return found


def _secret(query: dict[str, str], key: str) -> SecretStr | None:
    value = query.get(key, "").strip()
    if _UNFIT_IN_SECRETS.search(value):
        raise InvalidLink(f"the link's {key} holds characters that cannot be in it")
    return SecretStr(value) if value else None


def _quoted(text: str) -> str:
    """Quote a part of a link. A full stop at its end is quoted too: after a link it is taken for punctuation."""
    quoted = quote(text, safe="")
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted

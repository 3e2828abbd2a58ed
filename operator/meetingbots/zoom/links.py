"""From what people paste to the meeting that a bot shall join: links in all of Zoom's forms, and plain meeting IDs."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import SecretStr

_MAX_LENGTH: Final = 4096
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,4}zoom(?:\.us|gov\.com|\.com)")
_ANY_HOST: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9}")
_SPACED_ID: Final = re.compile(r"[0-9][0-9 \u00a0-]*[0-9]")
_VANITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\]")


class InvalidLink(ValueError):  # noqa: N818 - reads as what it says
    """What was given is no meeting link or ID. The text says why and quotes no passcode or registrant's token."""


class LinkKind(enum.StrEnum):
    """What an ID belongs to."""

    MEETING = "Meeting"
    WEBINAR = "Webinar"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingLink:
    """A meeting that can be joined. Either ``meeting_id`` or ``vanity`` is set, not both."""

    meeting_id: str | None
    """9 to 11 digits; None in a personal link (``/my/…``), whose user knows the ID."""
    passcode: SecretStr | None = field(default=None, repr=False)
    """``pwd`` of the link: the passcode, in Zoom's plain or its scrambled form."""
    registrant_token: SecretStr | None = field(default=None, repr=False)
    """``tk`` of the link, which admits a registered person."""
    vanity: str | None = None
    """Name of a personal link: ``alice`` of ``https://acme.zoom.us/my/alice``."""
    kind: LinkKind | None = None
    """None when the form of the link does not tell."""
    host: str = "zoom.us"

    def url(self) -> str:
        """Make the link that :func:`parse_meeting` reads as this; **holds the passcode**."""
        form = {LinkKind.MEETING: "j", LinkKind.WEBINAR: "w", None: "wc/join"}[self.kind]
        path = f"my/{quote(self.vanity, safe='')}" if self.vanity is not None else f"{form}/{self.meeting_id}"
        secrets = (("pwd", self.passcode), ("tk", self.registrant_token))
        query = "&".join(f"{key}={quote(value.get_secret_value(), safe='')}" for key, value in secrets if value)
        return f"https://{self.host}/{path}{'?' if query else ''}{query}"


def parse_meeting(text: str) -> MeetingLink:
    """Read a meeting link or a meeting ID.

    Understands ``https://[sub.]zoom.us/j/ID?pwd=…&tk=…`` (also ``/w/``, ``/s/``, ``/wc/join/ID``, ``/wc/ID/join``,
    ``/my/NAME``), the same on zoom.com and zoomgov.com and without ``https://``, ``zoommtg://zoom.us/join?confno=ID``,
    and IDs as people write them: ``812 3456 7890``, ``812-3456-7890``.

    Raises:
        InvalidLink: it is none of these.

    """
    text = text.strip().removeprefix("<").removesuffix(">").strip()
    if not text:
        raise InvalidLink("the meeting link is empty")
    if len(text) > _MAX_LENGTH:
        raise InvalidLink(f"the meeting link is longer than {_MAX_LENGTH} characters")
    if _SPACED_ID.fullmatch(text):
        return MeetingLink(meeting_id=parse_meeting_id(text))
    if "/" not in text:
        raise InvalidLink("this is neither a Zoom meeting link nor a meeting ID of 9 to 11 digits")
    parts, host = _split(text)
    if parts.scheme in ("zoommtg", "zoomus"):
        return _of_app_link(parts, host=host)
    return _of_web_link(parts, host=host)


def parse_meeting_id(text: str) -> str:
    """Read a meeting ID, with or without blanks and dashes; gives its 9 to 11 digits.

    Raises:
        InvalidLink: it is not one.

    """
    digits = re.sub(r"[ \u00a0-]", "", text)
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidLink("a meeting ID has digits only, with blanks or dashes between them at most")
    if not 9 <= len(digits) <= 11:
        raise InvalidLink(f"a meeting ID has 9 to 11 digits, this one has {len(digits)}")
    return digits


def _split(text: str) -> tuple[SplitResult, str]:
    scheme = _SCHEME.match(text)
    full = text if scheme else f"https://{text}"
    # Blanks are fine within an ID of a path (they are there in copied text), nowhere before it.
    if _UNFIT.search(full.partition("://")[2].partition("/")[0]) or _UNFIT.search(full.replace(" ", "")):
        raise InvalidLink("the meeting link holds blanks, line ends or backslashes where there must be none")
    try:
        parts = urlsplit(full)
        host, port, user = (parts.hostname or "").lower(), parts.port, parts.username
    except ValueError:
        raise InvalidLink("the meeting link is not a well-formed address") from None
    if parts.scheme not in ("https", "http", "zoommtg", "zoomus"):
        raise InvalidLink("a meeting link begins with https:// or zoommtg://")
    if user is not None or port not in (None, 443):
        raise InvalidLink("a meeting link has no user name and no port")
    if not _HOST.fullmatch(host):
        named = f" ({host})" if scheme and _ANY_HOST.fullmatch(host) else ""
        raise InvalidLink(f"the host{named} is not one of Zoom's: zoom.us, zoom.com, zoomgov.com or a name below them")
    return parts, host


def _of_app_link(parts: SplitResult, *, host: str) -> MeetingLink:
    query = _query(parts.query)
    if "confno" not in query:
        raise InvalidLink("this zoommtg link has no meeting ID (confno)")
    return MeetingLink(
        meeting_id=parse_meeting_id(query["confno"]),
        passcode=_secret(query, "pwd"),
        registrant_token=_secret(query, "tk"),
        host=host,
    )


def _of_web_link(parts: SplitResult, *, host: str) -> MeetingLink:
    meeting_id, vanity, kind = _path(tuple(unquote(piece) for piece in parts.path.split("/") if piece))
    query = _query(parts.query)
    return MeetingLink(
        meeting_id=meeting_id,
        passcode=_secret(query, "pwd"),
        registrant_token=_secret(query, "tk"),
        vanity=vanity,
        kind=kind,
        host=host,
    )


def _path(pieces: tuple[str, ...]) -> tuple[str | None, str | None, LinkKind | None]:
    match pieces:
        case ("j" | "s", number):
            return parse_meeting_id(number), None, LinkKind.MEETING
        case ("w", number):
            return parse_meeting_id(number), None, LinkKind.WEBINAR
        case ("my", name) if _VANITY.fullmatch(name):
            return None, name, None
        case ("my", *_):
            raise InvalidLink("this personal link (/my/...) has no name that Zoom could know")
        case ("wc", "join", number) | ("wc", number, "join" | "start"):
            return parse_meeting_id(number), None, None
    raise InvalidLink("this Zoom link has no meeting ID: expected /j/ID, /w/ID, /wc/join/ID, /wc/ID/join or /my/NAME")


def _query(text: str) -> dict[str, str]:
    """Read a query; a plus stays one, for Zoom's scrambled passcodes may hold it and no passcode holds a blank."""
    found: dict[str, str] = {}
    for pair in text.split("&"):
        key, _, value = pair.partition("=")
        if value:
            found.setdefault(unquote(key), unquote(value))
    return found


def _secret(query: dict[str, str], key: str) -> SecretStr | None:
    value = query.get(key, "").strip()
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise InvalidLink(f"the link's {key} holds characters that cannot be in it")
    return SecretStr(value) if value else None

"""Which texts name a meeting, as a table: each row is an example that the code has read."""

from __future__ import annotations

from typing import Final

from meetingbots.zoom.link_text import DOMAINS
from meetingbots.zoom.links import InvalidLink, MeetingLink, parse_meeting

from tests.tables.places import with_table

_ID: Final = "81234567890"
ACCEPTED: Final = (
    ("a link", f"https://us02web.zoom.us/j/{_ID}?pwd=Secret.1"),
    ("a company's host", f"https://acme.zoom.us/j/{_ID}"),
    ("without https", f"zoom.us/j/{_ID}"),
    ("a registrant's link", f"https://us02web.zoom.us/w/{_ID}?tk=Token.x&pwd=Secret.1"),
    ("a webinar", f"https://us02web.zoom.us/w/{_ID}"),
    ("a start link", f"https://us02web.zoom.us/s/{_ID}"),
    ("the web client", f"https://app.zoom.us/wc/join/{_ID}"),
    ("the web client", f"https://app.zoom.us/wc/{_ID}/join"),
    ("a join form", f"https://zoom.us/join?confno={_ID}"),
    ("the app's own link", f"zoommtg://zoom.us/join?confno={_ID}&pwd=Secret.1"),
    ("the phone app's link", f"zoomus://zoom.us/join?confno={_ID}"),
    ("a meeting ID", "812 3456 7890"),
    ("with the passcode beside it", f"https://zoom.us/j/{_ID} (Passcode: 123456)"),
    ("copied out of HTML", f"https://zoom.us/j/{_ID}?tk=T.x&amp;pwd=Secret.1"),
    ("inside a sentence", f"Join here: <https://zoom.us/j/{_ID}?pwd=Secret.1>."),
    ("behind Google", f"https://www.google.com/url?q=https://zoom.us/j/{_ID}?pwd%3DSecret.1"),
    (
        "behind Outlook",
        f"https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F{_ID}%3Fpwd%3DSecret.1&data=05",
    ),
    ("behind Proofpoint", f"https://urldefense.com/v3/__https://zoom.us/j/{_ID}?pwd=Secret.1__;!!abc$"),
    ("a personal link", "https://acme.zoom.us/my/alice"),
)
"""Kind of text and example."""
REJECTED: Final = (
    ("not Zoom", "https://meet.example.com/j/81234567890"),
    ("too short an ID", "12345"),
    ("two meetings", f"https://zoom.us/j/{_ID} https://zoom.us/j/89876543210"),
    ("no meeting in it", "https://zoom.us/pricing"),
)


def reading(text: str) -> str:
    """What the code reads, or why it refuses."""
    try:
        link = parse_meeting(text)
    except InvalidLink as error:
        return f"rejected: {error}"
    return ", ".join(_parts(link))


def in_document(text: str) -> str:
    """The page about links with both tables brought up to date."""
    with_domains = with_table(text, name="domains", table=", ".join(f"`{one}`" for one in DOMAINS))
    return with_table(with_domains, name="links", table=_table())


def _parts(link: MeetingLink) -> list[str]:
    parts = [f"meeting `{link.meeting_id}`" if link.meeting_id else f"the personal meeting of `{link.vanity}`"]
    if link.kind is not None:
        parts.append(f"kind {link.kind}")
    if link.passcode is not None:
        parts.append(f"passcode `{link.passcode.get_secret_value()}`")
    if link.registrant_token is not None:
        parts.append(f"registrant's token `{link.registrant_token.get_secret_value()}`")
    return parts


def _table() -> str:
    head = ["| Text | Example | Read as |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {kind} | `{text}` | {reading(text)} |" for kind, text in (*ACCEPTED, *REJECTED))])

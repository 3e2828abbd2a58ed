from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.links import InvalidLink, LinkKind, MeetingLink, parse_meeting, parse_meeting_id
from pydantic import SecretStr

ID = "81234567890"


def link(
    meeting_id: str | None = ID,
    *,
    pwd: str | None = None,
    tk: str | None = None,
    vanity: str | None = None,
    kind: LinkKind | None = LinkKind.MEETING,
    host: str = "zoom.us",
) -> MeetingLink:
    return MeetingLink(
        meeting_id=meeting_id,
        passcode=SecretStr(pwd) if pwd else None,
        registrant_token=SecretStr(tk) if tk else None,
        vanity=vanity,
        kind=kind,
        host=host,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, link(kind=None)),
        ("812 3456 7890", link(kind=None)),
        ("812-3456-7890", link(kind=None)),
        ("  812\u00a03456\u00a07890\n", link(kind=None)),
        ("912345678", link("912345678", kind=None)),
        (f"https://zoom.us/j/{ID}", link()),
        (f"https://zoom.us/j/{ID}/", link()),
        (f"http://ZOOM.us/j/{ID}", link()),
        (f"zoom.us/j/{ID}?pwd=abc", link(pwd="abc")),
        (f"<https://us02web.zoom.us/j/{ID}?pwd=aB+c%2F.1#success>", link(pwd="aB+c/.1", host="us02web.zoom.us")),
        ("https://zoom.us/j/812 3456 7890", link()),
        ("https://zoom.us/j/812%203456%207890", link()),
        ("https://zoom.us/j/812-3456-7890?pwd=&from=x", link()),
        (f"https://zoom.us:443/j/{ID}", link()),
        (
            f"https://acme.zoom.us/w/{ID}?tk=t.k&pwd=p",
            link(tk="t.k", pwd="p", kind=LinkKind.WEBINAR, host="acme.zoom.us"),
        ),
        (f"https://zoom.us/s/{ID}?zak=z", link()),
        (f"https://zoom.us/wc/join/{ID}?pwd=p", link(pwd="p", kind=None)),
        (f"https://app.zoom.us/wc/{ID}/join?pwd=p", link(pwd="p", kind=None, host="app.zoom.us")),
        (f"https://zoom.us/wc/{ID}/start", link(kind=None)),
        (
            "https://acme.zoom.us/my/alice.b?pwd=p",
            link(None, vanity="alice.b", pwd="p", kind=None, host="acme.zoom.us"),
        ),
        (f"https://www.zoomgov.com/j/{ID}", link(host="www.zoomgov.com")),
        (f"https://zoom.com/j/{ID}", link(host="zoom.com")),
        (f"zoommtg://zoom.us/join?action=join&confno={ID}&pwd=p&tk=t", link(pwd="p", tk="t", kind=None)),
        (f"zoomus://acme.zoom.us/join?confno={ID}", link(kind=None, host="acme.zoom.us")),
    ],
)
def test_every_form(text: str, expected: MeetingLink) -> None:
    assert parse_meeting(text) == expected


SECRET = "hush4242"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 5000, "longer than"),
        ("my meeting", "neither"),
        ("alice", "neither"),
        ("12345678", "9 to 11 digits, this one has 8"),
        ("123456789012", "this one has 12"),
        ("١٢٣٤٥٦٧٨٩", "neither"),
        (f"https://zoom.us/j/?pwd={SECRET}", "no meeting ID"),
        (f"https://zoom.us/?pwd={SECRET}", "no meeting ID"),
        (f"https://zoom.us/j/{ID}/x?pwd={SECRET}", "no meeting ID"),
        (f"https://zoom.us/j/abc?pwd={SECRET}", "digits only"),
        (f"https://zoom.us/my/?pwd={SECRET}", "no name"),
        (f"https://zoom.us/my/a%2Fb?pwd={SECRET}", "no name"),
        (f"zoommtg://zoom.us/join?action=join&pwd={SECRET}", "confno"),
        (f"ftp://zoom.us/j/{ID}?pwd={SECRET}", "begins with"),
        (f"javascript://zoom.us/j/{ID}", "begins with"),
        (f"https://zoom.us.evil.com/j/{ID}?pwd={SECRET}", "(zoom.us.evil.com)"),
        (f"https://evilzoom.us/j/{ID}?pwd={SECRET}", "(evilzoom.us)"),
        (f"https://zoomgov.com.evil.com/j/{ID}", "not one of Zoom's"),
        (f"https://evil.com/zoom.us/j/{ID}", "not one of Zoom's"),
        (f"https://evil.com?x=.zoom.us/j/{ID}", "not one of Zoom's"),
        (f"https://evil.com#.zoom.us/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.us@evil.com/j/{ID}?pwd={SECRET}", "no user name"),
        (f"https://{SECRET}@zoom.us/j/{ID}", "no user name"),
        (f"https://zoom.us:8443/j/{ID}", "no port"),
        (f"https://zoom.us:99999/j/{ID}", "well-formed"),
        (f"https://[::1/j/{ID}", "well-formed"),
        (f"https://evil.com\\.zoom.us/j/{ID}", "backslashes"),
        (f"https://evil.com\t.zoom.us/j/{ID}", "line ends"),
        (f"https://zoom.us/j/{ID}?pwd={SECRET}\r\nx", "line ends"),
        (f"https://zoom.us/j/{ID}?pwd={SECRET}%0ax", "pwd holds"),
        (f"https://zооm.us/j/{ID}", "not one of Zoom's"),  # noqa: RUF001 - two Cyrillic letters, on purpose
        (f"pwd={SECRET}/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.us./j/{ID}", "not one of Zoom's"),
        (f"https:///j/{ID}", "not one of Zoom's"),
    ],
)
def test_what_is_refused_and_why(text: str, says: str) -> None:
    with pytest.raises(InvalidLink, match=r".") as caught:
        parse_meeting(text)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_ids() -> None:
    assert parse_meeting_id("812 3456-7890") == ID
    for wrong in ("", "-", "12345678", "1234567890123", "8123456789a", "８１２３４５６７８９０"):  # noqa: RUF001 - wide digits
        with pytest.raises(InvalidLink):
            parse_meeting_id(wrong)


IDS = st.from_regex(r"[0-9]{9,11}", fullmatch=True)
SECRETS = st.none() | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40).filter(
    lambda text: text == text.strip()
).map(SecretStr)
HOSTS = st.builds(
    lambda sub, base: f"{sub}.{base}" if sub else base,
    st.from_regex(r"([a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?)?", fullmatch=True),
    st.sampled_from(["zoom.us", "zoom.com", "zoomgov.com"]),
)
MEETINGS = st.builds(
    MeetingLink,
    meeting_id=IDS,
    passcode=SECRETS,
    registrant_token=SECRETS,
    kind=st.sampled_from([None, *LinkKind]),
    host=HOSTS,
)
PERSONAL = st.builds(
    MeetingLink,
    meeting_id=st.none(),
    passcode=SECRETS,
    vanity=st.text(string.ascii_letters + string.digits + ".", min_size=1, max_size=40).filter(lambda t: t[0] != "."),
    host=HOSTS,
)


@given(MEETINGS | PERSONAL)
def test_round_trip(meeting: MeetingLink) -> None:
    assert parse_meeting(meeting.url()) == meeting


@given(
    st.text(max_size=60) | st.from_regex(r"(https://)?[a-z.@:/\\]{0,10}zoom\.us[/?#@:.a-z0-9%]{0,40}", fullmatch=True)
)
def test_nothing_but_a_zoom_host_or_a_refusal(text: str) -> None:
    try:
        meeting = parse_meeting(text)
    except InvalidLink:
        return
    assert meeting.host.split(".")[-2:] in (["zoom", "us"], ["zoom", "com"], ["zoomgov", "com"])
    assert (meeting.meeting_id is None) is not (meeting.vanity is None)


@given(IDS, st.lists(st.sampled_from([" ", "-"]), min_size=11, max_size=11))
def test_ids_as_people_write_them(number: str, between: list[str]) -> None:
    written = "".join(digit + gap for digit, gap in zip(number, between, strict=False)).strip(" -")
    assert parse_meeting(written).meeting_id == number

from __future__ import annotations

import string
from urllib.parse import unquote

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
        (f"https://app.zoom.us/wc/{ID}", link(kind=None, host="app.zoom.us")),
        (f"https://acme.zoom.us/launch/jc/{ID}", link(kind=None, host="acme.zoom.us")),
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
def test_forms_of_links_and_ids(text: str, expected: MeetingLink) -> None:
    assert parse_meeting(text) == expected


PASTED = f"https://zoom.us/j/{ID}?pwd=MySecret.1"


@pytest.mark.parametrize(
    "text",
    [
        f"{PASTED} (Passcode: 123456)",
        f"{PASTED}(Passcode: 123456)",
        f"{PASTED}\nPasscode: 123456",
        f"{PASTED}\r\nMeeting ID: 812 3456 7890\r\nPasscode: 123456",
        f"{PASTED}\tPasscode: 123456",
        f"{PASTED}\u00a0Kenncode: 123456",
        f"{PASTED}).",
        f"({PASTED})",
        f"{PASTED}.",
        f"{PASTED},",
        f"{PASTED};",
        f"{PASTED}!",
        f"{PASTED}?",
        f"{PASTED}\u2026",
        f'"{PASTED}"',
        f"'{PASTED}'",
        f"\u201c{PASTED}\u201d",
        f"\u00ab{PASTED}\u00bb",
        f"`{PASTED}`",
        f"<{PASTED}>",
        f"<{PASTED}|Join>",
        f"[{PASTED}]",
        f"[Join Zoom Meeting]({PASTED})",
        f"[{PASTED}]({PASTED})",
        f"**{PASTED}**",
        f'<a href="{PASTED}">Join</a>',
        f"Join Zoom Meeting: {PASTED}",
        f"Join Zoom Meeting\n{PASTED}\n\nFind your local number: https://zoom.us/u/abcdef",
        f"\ufeff{PASTED}\u200b",
        f"{PASTED}\uff08\u5bc6\u7801\uff1a123456\uff09",
        f"{PASTED}\u3002",
        f"{PASTED},,81234567890#",
        f"{PASTED};Passcode:123456",
        f"{PASTED}!Passcode=123456",
        f"*{PASTED}*",
        f"https://zoom.us/j/{ID}?pwd%3DMySecret.1",
        f"https://zoom.us/j/{ID}?tk=T.x%26pwd=MySecret.1",
        f"https://zoom.us/j/{ID}?tk=T.x%26pwd%3DMySecret.1",
        f"{PASTED}\u2014Passcode: 123456",
        f"{PASTED}\U0001f389",
        f"{PASTED}#success",
        f"{PASTED}&from=addon#success",
        f"zoom.us/j/{ID}?pwd=MySecret.1).",
        f"Join zoom.us/j/{ID}?pwd=MySecret.1 at noon",
        f"HTTPS://Zoom.us/J/{ID}?pwd=MySecret.1",
        f"https%3A%2F%2Fzoom.us%2Fj%2F{ID}%3Fpwd%3DMySecret.1",
        f"https://zoom.us/j/{ID}%3Fpwd%3DMySecret.1",
        f"https://zoom.us/j/{ID}?from=x&amp;pwd=MySecret.1",
        f"https://zoom.us/j/{ID}?from=x&#38;pwd=MySecret.1",
        f"https://zoom.us/j/{ID}?from=x&amp;amp;pwd&#61;MySecret.1",
        f"https://zoom.us/j/{ID}?pwd&#x3D;MySecret.1&quot;",
        "https://zoom.us/j/812 3456 7890?pwd=MySecret.1 (Passcode: 123456)",
        f"_https://zoom.us/j/{ID}?pwd=MySecret.1_",
        f"https://zoom.us/j/{ID}?from=x\\u0026pwd=MySecret.1",
    ],
)
def test_pasted_text_is_cut_to_the_link(text: str) -> None:
    meeting = parse_meeting(text)
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr("MySecret.1"))


@pytest.mark.parametrize(
    ("text", "passcode"),
    [
        (f"https://zoom.us/j/{ID} (Passcode: 123456)", "123456"),
        (f"https://zoom.us/j/{ID}\nPasscode: aB+c/1", "aB+c/1"),
        (f"https://zoom.us/j/{ID} PW: 123456", "123456"),
        ("Meeting ID: 812 3456 7890\nPasscode: 123456", "123456"),
        ("812 3456 7890, password 123456.", "123456"),
        ("812\u20133456\u20137890", None),
        (f"https://acme.zoom.com.cn/j/{ID} \u5bc6\u7801\uff1a123456", "123456"),
        (f"https://zoom.us/j/{ID} 123456", None),
        (f"https://zoom.us/j/{ID} Contrase\u00f1a: 123456", "123456"),
        (f"https://zoom.us/j/{ID} Code d\u2019acc\u00e8s : 123456", "123456"),
        (f"https://zoom.us/j/{ID} Senha de acesso: 123456", "123456"),
        (f"https://zoom.us/j/{ID} \u041f\u0430\u0440\u043e\u043b\u044c: 123456", "123456"),
        (f"https://zoom.us/j/{ID} \u5bc6\u78bc\uff1a123456", "123456"),
        (f"https://zoom.us/j/{ID} *Passcode:* 123456", "123456"),
        (f"https://zoom.us/j/{ID} **Passcode**: `123456`", "123456"),
        (f"https://zoom.us/j/{ID} <b>Passcode:</b> 123456", "123456"),
        (f"https://zoom.us/j/{ID} passcode is 123456", "123456"),
        (f"https://zoom.us/j/{ID} Passcode: *abc", "*abc"),
        (f"https://zoom.us/j/{ID} The passcode will follow", None),
        (f"https://zoom.us/j/{ID} (no password needed)", None),
        (f"Passcode:\nhttps://zoom.us/j/{ID}", None),
        (f"https://zoom.us/j/{ID} [Join](https://zoom.us/j/{ID}?pwd=abc)", "abc"),
    ],
)
def test_a_passcode_beside_a_link_without_one(text: str, passcode: str | None) -> None:
    meeting = parse_meeting(text)
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr(passcode) if passcode else None)


@pytest.mark.parametrize(
    ("text", "host", "zoom_host"),
    [
        ("https://uni-example.zoom-x.de/j/81234567890?pwd=MySecret.1", "uni-example.zoom-x.de", "zoom-x.de"),
        ("https://zoom-x.de/wc/join/81234567890?pwd=MySecret.1", "zoom-x.de", "zoom-x.de"),
        ("https://acme.zoom.com.cn/j/81234567890?pwd=MySecret.1", "acme.zoom.com.cn", "zoom.com.cn"),
        ("https://agency.zoomgov.com/j/81234567890?pwd=MySecret.1", "agency.zoomgov.com", "zoomgov.com"),
        ("https://eu01web.zoom.us/j/81234567890?pwd=MySecret.1", "eu01web.zoom.us", "zoom.us"),
        ("https://app.zoom.com/wc/81234567890/join?pwd=MySecret.1", "app.zoom.com", "zoom.com"),
        (
            "zoommtg://us02web.zoom.us/start?action=x&confno=81234567890&pwd=MySecret.1",
            "us02web.zoom.us",
            "zoom.us",
        ),
        ("zoommtg://zoomgov.com/join?confno=81234567890&amp;pwd=MySecret.1", "zoomgov.com", "zoomgov.com"),
        ("zoomus://zoom-x.de/start?confno=812%203456%207890&pwd=MySecret.1", "zoom-x.de", "zoom-x.de"),
        ("https://us02web.zoom.us/w/81234567890?tk=T.x&amp;pwd=MySecret.1", "us02web.zoom.us", "zoom.us"),
        ("https://zoom.us/join?confno=81234567890&pwd=MySecret.1", "zoom.us", "zoom.us"),
    ],
)
def test_hosts_and_schemes(text: str, host: str, zoom_host: str) -> None:
    meeting = parse_meeting(text)
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr("MySecret.1"))
    assert (meeting.host, meeting.zoom_host) == (host, zoom_host)


@pytest.mark.parametrize(
    ("text", "vanity_url", "same"),
    [
        ("https://us02web.zoom.us/my/Alice", "https://acme.zoom.us/my/alice", True),
        ("https://zoom.us/my/alice", "https://acme.zoom.us/my/ALICE", True),
        ("https://www.zoom.us/my/alice", "https://acme.zoom.us/my/alice", True),
        ("https://app.zoom.us/my/alice", "https://acme.zoom.us/my/alice", True),
        ("https://eu01web.zoom.us/my/alice", "https://acme.zoom.us/my/alice", True),
        ("https://acme.zoom.us/my/alice", "https://us04web.zoom.us/my/alice", True),
        ("https://acme.zoom.us/my/alice", "alice", True),
        ("https://zoom.com/my/alice", "https://acme.zoom.us/my/alice", True),
        ("https://ACME.zoom.us/my/alice", "https://acme.zoom.us/my/alice", True),
        ("https://www.zoomgov.com/my/alice", "https://agency.zoomgov.com/my/alice", True),
        ("https://evil.zoom.us/my/alice", "https://acme.zoom.us/my/alice", False),
        ("https://zoom.us/my/bob", "https://acme.zoom.us/my/alice", False),
        ("https://zoom.us/my/alice", "https://agency.zoomgov.com/my/alice", False),
        ("https://zoom.us/my/alice", "", False),
        (ID, "https://acme.zoom.us/my/alice", False),
    ],
)
def test_the_owner_of_a_personal_link(text: str, vanity_url: str, same: bool) -> None:
    assert parse_meeting(text).is_personal_link_of(vanity_url) is same


@pytest.mark.parametrize("passcode", ["abc*", "a@b_c-d*", "a%2Cb", "a%3Fb%2E"])
def test_characters_of_passcodes_stay(passcode: str) -> None:
    assert parse_meeting(f"https://zoom.us/j/{ID}?pwd={passcode}").passcode == SecretStr(unquote(passcode))


def test_the_join_url_is_canonical() -> None:
    meeting = parse_meeting(f"<zoommtg://agency.zoomgov.com/join?action=join&confno={ID}&pwd=MySecret.1&tk=T.x>")
    url = f"https://agency.zoomgov.com/j/{ID}?pwd=MySecret.1&tk=T.x"
    assert meeting.join_url() == SecretStr(url)
    other = meeting.join_url(passcode=SecretStr("a b"))
    assert other == SecretStr(f"https://agency.zoomgov.com/j/{ID}?pwd=a%20b&tk=T.x")
    personal = parse_meeting("https://acme.zoom.us/my/alice?pwd=p")
    assert personal.join_url(meeting_id=ID) == SecretStr(f"https://acme.zoom.us/j/{ID}?pwd=p")
    assert parse_meeting(ID).join_url() == SecretStr(f"https://zoom.us/j/{ID}")


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
        (f"https://zoom.us/j/abc?pwd={SECRET}", "only digits"),
        (f"https://zoom.us/my/?pwd={SECRET}", "no name"),
        (f"https://zoom.us/my/a%2Fb?pwd={SECRET}", "no name"),
        (f"zoommtg://zoom.us/join?action=join&pwd={SECRET}", "confno"),
        (f"ftp://zoom.us/j/{ID}?pwd={SECRET}", "begins with"),
        (f"javascript://zoom.us/j/{ID}", "begins with"),
        (f"https://zoom-x.de.evil.com/j/{ID}", "not one of Zoom's"),
        (f"https://evilzoom-x.de/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.com.evil.cn/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.us/j/{ID} https://zoom.us/j/82222222222", "several meetings"),
        ("https://zoom.us/meeting/register/tZwsdu", "registration"),
        ("https://tinyurl.com/abcd", "open it in a browser"),
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
        (f"https://[::1/j/{ID}", "not one of Zoom's"),
        (f"https://evil.com\\.zoom.us/j/{ID}", "backslashes"),
        (f"https://evil.com\t.zoom.us/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.us/j/{ID}?pwd={SECRET}%0ax", "pwd holds"),
        (f"https://zооm.us/j/{ID}", "not one of Zoom's"),  # noqa: RUF001 - two Cyrillic letters, on purpose
        (f"pwd={SECRET}/j/{ID}", "not one of Zoom's"),
        (f"https://zoom.us./j/{ID}", "not one of Zoom's"),
        (f"https:///j/{ID}", "not one of Zoom's"),
        (f"{ID} Passcode: 12\x0034", "characters that cannot be in it"),
        (f"{ID} Passcode: 12\ud83d", "characters that cannot be in it"),
    ],
)
def test_refused_texts_and_the_reason(text: str, says: str) -> None:
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
    st.sampled_from(["zoom.us", "zoom.com", "zoomgov.com", "zoom-x.de", "zoom.com.cn"]),
)
MEETINGS = st.builds(
    MeetingLink,
    meeting_id=IDS,
    passcode=SECRETS,
    registrant_token=SECRETS,
    kind=st.sampled_from(LinkKind),
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
def test_the_join_url_reads_as_the_same_meeting(meeting: MeetingLink) -> None:
    assert parse_meeting(meeting.join_url().get_secret_value()) == meeting


@given(
    st.text(max_size=60) | st.from_regex(r"(https://)?[a-z.@:/\\]{0,10}zoom\.us[/?#@:.a-z0-9%]{0,40}", fullmatch=True)
)
def test_every_result_has_a_host_of_zooms(text: str) -> None:
    try:
        meeting = parse_meeting(text)
    except InvalidLink:
        return
    assert meeting.host == meeting.zoom_host or meeting.host.endswith(f".{meeting.zoom_host}")
    assert meeting.zoom_host in ("zoom.us", "zoom.com", "zoomgov.com", "zoom-x.de", "zoom.com.cn")
    assert (meeting.meeting_id is None) is not (meeting.vanity is None)


@given(IDS, st.lists(st.sampled_from([" ", "-"]), min_size=11, max_size=11))
def test_ids_as_people_write_them(number: str, between: list[str]) -> None:
    written = "".join(digit + gap for digit, gap in zip(number, between, strict=False)).strip(" -")
    assert parse_meeting(written).meeting_id == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"https://app.zoom.us/wc/{ID}/join?pwd=MySecret.1", f"https://zoom.us/j/{ID}?pwd=MySecret.1"),
        (f"https://app.zoom.us/wc/join/{ID}", f"https://zoom.us/j/{ID}"),
        (f"https://app.zoom.us/j/{ID}", f"https://zoom.us/j/{ID}"),
        (f"https://app.zoom.us/wc/{ID}/start", f"https://zoom.us/j/{ID}"),
        (f"https://app.zoomgov.com/j/{ID}", f"https://zoomgov.com/j/{ID}"),
        (f"https://us02web.zoom.us/wc/{ID}/join", f"https://us02web.zoom.us/j/{ID}"),
    ],
)
def test_the_web_client_becomes_a_link_for_the_sdk(text: str, expected: str) -> None:
    assert parse_meeting(text).join_url().get_secret_value() == expected

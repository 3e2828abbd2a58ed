"""Links behind redirects and in other encodings."""

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, unquote

import pytest
from meetingbots.zoom.links import InvalidLink, parse_meeting
from pydantic import SecretStr

ID = "81234567890"
QUOTED = "https%3A%2F%2Fus02web.zoom.us%2Fj%2F81234567890%3Fpwd%3DMySecret.1"
SOPHOS = b64encode(unquote(QUOTED).encode()).decode()
BASE64 = urlsafe_b64encode(unquote(QUOTED).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        f"https://www.google.com/url?q={QUOTED}&sa=D&source=calendar&usg=AOvVaw",
        f"https://www.google.de/url?sa=t&url={QUOTED}",
        f"https://google.co.uk/url?q={QUOTED}",
        "https://www.google.com/url?q=https://us02web.zoom.us/j/81234567890?pwd%3DMySecret.1&amp;sa=D",
        f"https://eur01.safelinks.protection.outlook.com/?url={QUOTED}&data=05%7C01%7C&sdata=x%3D&reserved=0",
        f"https://nam12.safelinks.protection.outlook.com/ap/t-59584e83/?url={QUOTED}&data=05",
        f"https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={QUOTED}&locale=en",
        f"https://urldefense.proofpoint.com/v1/url?u={QUOTED}&k=abc",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__us02web.zoom.us_j_81234567890-3Fpwd-3DMySecret.1&d=DwMF",
        "https://urldefense.com/v3/__https://us02web.zoom.us/j/81234567890?pwd=MySecret.1__;!!AbC-d!xyz_123$",
        "https://urldefense.com/v3/__https:/us02web.zoom.us/j/81234567890?pwd=MySecret.1__;!!AbC!x$ (Passcode: 1)",
        "https://urldefense.us/v3/__https://us02web.zoom.us/j/81234567890*pwd=MySecret.1__;Pw!!AbC!x$",
        f"https://linkprotect.cudasvc.com/url?a={QUOTED}&c=E,1,x",
        f"https://l.facebook.com/l.php?u={QUOTED}&h=AT0",
        f"https://secure-web.cisco.com/1AbCdEf/{QUOTED}",
        f"https://www.linkedin.com/safety/go?url={QUOTED}&trk=feed-detail",
        f"https://linkedin.com/safety/go/?trk=x&url={QUOTED}",
        f"https://www.linkedin.com/redir/redirect?url={QUOTED}&urlhash=x",
        f"https://meet.google.com/linkredirect?authuser=0&dest={QUOTED}",
        f"https://imsva91-ctp.trendmicro.com:443/wis/clicktime/v1/query?url={QUOTED}&umid=1&auth=x",
        f"https://clicktime.symantec.com/15siFGt?h=x&u={QUOTED}",
        f"https://clicktime.cloud.postoffice.net/clicktime.php?U={QUOTED}&E=x&X=y",
        f"https://l.messenger.com/l.php?u={QUOTED}&h=AT0",
        f"https://l.instagram.com/?u={QUOTED}&e=AT0",
        f"https://www.youtube.com/redirect?event=live_chat&q={QUOTED}",
        f"https://vk.com/away.php?to={QUOTED}",
        f"https://duckduckgo.com/l/?uddg={QUOTED}&rut=x",
        f"https://deref-gmx.net/mail/client/x/dereferrer/?redirectUrl={QUOTED}",
        f"https://deref-web.de/mail/client/x/dereferrer/?redirectUrl={QUOTED}&lm",
        f"https://gcc02.safelinks.protection.office365.us/?url={QUOTED}&data=05",
        f"https://mail.example.com/owa/redir.aspx?C=x&URL={QUOTED}",
        f"https://fortimail.example.com/fmlurlsvc/?fewReq=:B:x&url={QUOTED}",
        f"https://eu-west-1.protection.sophos.com?d=zoom.us&u={SOPHOS}&i=x&t=y&h=z",
        f"https://us-west-2.protection.sophos.com/?d=zoom.us&u={quote(SOPHOS, safe='')}&p=m",
        "https://url.avanan.click/v2/___https://us02web.zoom.us/j/81234567890?pwd=MySecret.1___.YXAzOng6eDp4",
        "https://protect.checkpoint.com/v2/___https://us02web.zoom.us/j/81234567890?pwd=MySecret.1___.YzJl",
        f"https://www.bing.com/ck/a?!&&p=abc&ptn=3&u=a1{BASE64}&ntb=1",
        f"https://r.search.yahoo.com/_ylt=Aw/RV=2/RO=10/RU={QUOTED}/RK=2/RS=x-",
        f"https://out.reddit.com/t3_abc?url={QUOTED}&token=x",
        f"https://steamcommunity.com/linkfilter/?u={QUOTED}",
        f"https://t.me/iv?url={QUOTED}&rhash=x",
        f"https://l.wl.co/l?u={QUOTED}",
        f"https://protect2.fireeye.com/v1/url?k=a-b&q=1&e=c&u={QUOTED}",
        f"https://antiphishing.vadesecure.com/v4?f=a&i=b&k=c&r=d&s=e&u={QUOTED}",
        f"https://urlsand.esvalabs.com/?u={QUOTED}&e=x&h=y&f=y&p=y",
        f"https://linklock.titanhq.com/analyse?url={QUOTED}&data=eJx",
        f"https://link.zixcentral.com/u/abc/def?u={QUOTED}",
        f"https://scanmail.trustwave.com/?c=17268&d=abc&u={QUOTED}",
        f"https://lsems.gravityzone.bitdefender.com/scan/{BASE64}/AAAA?c=1&i=1&docs=1",
        f"https://linkscan.io/scan/ux/{BASE64}/AAAA?c=1",
        f"https://checklink.mail.ru/proxy?es=a&egid=b&url={QUOTED}&uidl=1",
        f"https://mail.qq.com/cgi-bin/readtemplate?t=safety&check=false&gourl={QUOTED}",
        f"https://c.pc.qq.com/middlem.html?pfurl={QUOTED}",
        f"https://link.zhihu.com/?target={QUOTED}",
        f"https://medium.com/r/?url={QUOTED}",
        f"https://www.facebook.com/flx/warn/?u={QUOTED}",
        f"https://l.threads.com/?u={QUOTED}&e=x",
        f"https://abc123.r.us-east-1.awstrack.me/L0/{QUOTED.replace('%3A', ':')}/1/0100018-000000/x=1",
        f"https://teams.public.onecdn.static.microsoft/evergreen-assets/safelinks/2/atp-safelinks.html?url={QUOTED}",
        f"https://calendly.com/url?q={QUOTED}",
        f"https://plus.url.google.com/url?q={QUOTED}",
        "https://urldefense.us/v2/url?u=https-3A__us02web.zoom.us_j_81234567890-3Fpwd-3DMySecret.1&d=DwMF",
        "https://urldefense.com/v3/__https%3A//us02web.zoom.us/j/81234567890?pwd=MySecret.1__;!!AbC!x$",
        "https://www.google.com/url?q=https%3A%2F%2Feur01.safelinks.protection.outlook.com%2F%3Furl%3D"
        "https%253A%252F%252Fus02web.zoom.us%252Fj%252F81234567890%253Fpwd%253DMySecret.1%26data%3D05&sa=D",
    ],
)
def test_redirects_are_unwrapped(text: str) -> None:
    meeting = parse_meeting(text)
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr("MySecret.1"))
    assert meeting.host == "us02web.zoom.us"


@pytest.mark.parametrize(
    "text",
    [
        f"https://google.com.evil.com/url?q={QUOTED}",
        f"https://evil.com/url?q={QUOTED}",
        f"https://safelinks.protection.outlook.com.evil.com/?url={QUOTED}",
        "https://www.google.com/url?q=https://evil.com/j/81234567890",
        "https://urldefense.com/v3/__https://evil.com/j/81234567890__;!!AbC!x$",
        "https://urldefense.com/v3/__",
        "https://urldefense.com/v3/__https://zoom.us/j/81234567890*__;@@!!AbC!x$",
        "https://www.google.com/url",
        "https://eu-west-1.protection.sophos.com/?d=zoom.us&u=%%%",
        "https://eu-west-1.protection.sophos.com/?d=zoom.us&u=aHR0",
        "https://protect.checkpoint.com/v2/___https://evil.com/j/81234567890___.YzJl",
        f"https://linkedin.com.evil.com/safety/go?url={QUOTED}",
        f"https://awstrack.me.evil.com/L0/{QUOTED}/1/x",
        "https://www.bing.com/ck/a?u=a1%%%",
        "https://www.bing.com/ck/a?u=a1aHR0cHM6Ly9ldmlsLmNvbS9qLzgxMjM0NTY3ODkw",
        "https://r.search.yahoo.com/_ylt=Aw/RU=x/RK=2",
        f"https://ctp.trendmicro.com.evil.com/wis/clicktime/v1/query?url={QUOTED}",
    ],
)
def test_redirects_that_lead_elsewhere_are_refused(text: str) -> None:
    with pytest.raises(InvalidLink):
        parse_meeting(text)


@pytest.mark.parametrize(
    "text",
    [
        quote(QUOTED, safe=""),
        quote(quote(QUOTED, safe=""), safe=""),
        r'{"join_url":"https:\/\/us02web.zoom.us\/j\/81234567890?pwd=MySecret.1"}',
        "LOCATION:https://us02web.zoom.us/j/81234567890?pwd=MySecr\r\n et.1\r\nEND:VEVENT",
        r"DESCRIPTION:https://us02web.zoom.us/j/81234567890?pwd=MySecret.1\n\nMeeting ID: 812 3456 7890",
        "https://us02web.zoom.us/j/\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10?pwd=MySecret.1",
        f"https://us02web.zoom.us/j/{ID}&pwd=MySecret.1",
        f"https://us02web.zoom.us/j/{ID}?PWD=MySecret.1",
        f"intent://us02web.zoom.us/join?confno={ID}&pwd=MySecret.1#Intent;scheme=zoomus;package=us.zoom.videomeetings;end",
        f"https://us02web.zoom.us/meeting/{ID}?pwd=MySecret.1",
        f"https://us02web.zoom.us/webinar/{ID}?pwd=MySecret.1",
    ],
)
def test_odd_encodings_and_places_of_a_link(text: str) -> None:
    meeting = parse_meeting(text)
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr("MySecret.1"))


def test_a_link_is_encoded_as_a_whole_at_most_five_times() -> None:
    text = QUOTED
    for _ in range(4):
        text = quote(text, safe="")
    assert parse_meeting(text).meeting_id == ID
    with pytest.raises(InvalidLink):
        parse_meeting(quote(text, safe=""))


def test_an_indented_line_of_a_plain_text_is_not_joined_to_the_line_before() -> None:
    meeting = parse_meeting(f"Notes\nURL: https://zoom.us/j/{ID}\n Passcode: 123456")
    assert (meeting.meeting_id, meeting.passcode) == (ID, SecretStr("123456"))


@pytest.mark.parametrize(
    "text",
    [
        f"sip:{ID}@zoomcrc.com",
        f"{ID}.123456@zoomcrc.com",
        f"tel:+16465588656,,{ID}#,,,,*123456#",
        f"+16465588656,,{ID}# US (New York)",
        "(812 3456 7890)",
        "Meeting number: 812 3456 7890",
        "Hello, this is the text of a mail that comes before the number, in one line. Meeting ID: 812 3456 7890",
        "ID de reuni\u00f3n: 812 3456 7890",
        "ID cu\u1ed9c h\u1ecdp: 812 3456 7890",
        "Identyfikator spotkania: 812 3456 7890\nKod dost\u0119pu: 123456",
        "\u0418\u0434\u0435\u043d\u0442\u0438\u0444\u0438\u043a\u0430\u0442\u043e\u0440: 812 3456 7890",
        "\u4f1a\u8bae\u53f7\uff1a812 3456 7890 \u5bc6\u7801\uff1a123456",
        "\u30df\u30fc\u30c6\u30a3\u30f3\u30b0ID: 812 3456 7890",
        "\uff18\uff11\uff12\u3000\uff13\uff14\uff15\uff16\u3000\uff17\uff18\uff19\uff10",
    ],
)
def test_ids_beside_numbers_and_addresses(text: str) -> None:
    assert parse_meeting(text).meeting_id == ID


@pytest.mark.parametrize(
    "text",
    [
        "Meeting ID follows. Phone 646 558 8656",
        "Phone 646 558 8656",
        "+1 646 558 8656",
        "did 812 3456 7890 people come",
    ],
)
def test_other_numbers_are_no_meeting_ids(text: str) -> None:
    with pytest.raises(InvalidLink):
        parse_meeting(text)

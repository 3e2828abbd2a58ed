from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.environment import ALL, FROM_SECRET, secret_values, variables
from meetingbots.models.bot import TokenKind
from meetingbots.zoom.oauth import Environment
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, UID, bot

EVERY_NAME = [
    "ZOOM_MEETING_ID",
    "ZOOM_DISPLAY_NAME",
    "ZOOM_HOST",
    "ZOOM_CUSTOMER_KEY",
    "ZOOM_MEETING_PASSCODE",
    "ZOOM_REGISTRANT_TOKEN",
    "ZOOM_JOIN_TOKEN",
    "ZOOM_OBF_TOKEN",
    "ZOOM_ZAK",
    "ZOOM_LIVE_STREAMING_TOKEN",
    "ZOOM_LOCAL_ARCHIVING_TOKEN",
    "ZOOM_TOKEN_REASON",
    "ZOOM_MEETING_URL",
    "ZOOM_SDK_JWT",
]
OPEN = {"ZOOM_MEETING_ID", "ZOOM_DISPLAY_NAME", "ZOOM_HOST", "ZOOM_CUSTOMER_KEY"}


def test_every_variable_is_set_and_secret_values_come_from_the_secret() -> None:
    env = variables(bot(displayName="Notetaker"), MeetingRef(MEETING, host="zoomgov.com"), secret_name="pod-zoom")
    assert [item["name"] for item in env] == EVERY_NAME
    for item in env:
        if item["name"] in OPEN:
            assert set(item) == {"name", "value"}
        else:
            assert item["valueFrom"] == {"secretKeyRef": {"name": "pod-zoom", "key": item["name"]}}
    values = {item["name"]: item.get("value") for item in env}
    assert (values["ZOOM_MEETING_ID"], values["ZOOM_HOST"]) == (MEETING, "zoomgov.com")
    assert values["ZOOM_CUSTOMER_KEY"] == UID.replace("-", "")
    assert set(EVERY_NAME) == ALL
    assert set(FROM_SECRET) == ALL - OPEN | {"ZOOM_HOST"}


def test_the_host_of_a_lone_id_comes_with_the_tokens() -> None:
    meeting = MeetingRef(MEETING, url=SecretStr(f"https://zoom.us/j/{MEETING}?pwd=zoom.us"), host_given=False)
    env = {item["name"]: item for item in variables(bot(), meeting, secret_name="pod-zoom")}
    assert env["ZOOM_HOST"]["valueFrom"] == {"secretKeyRef": {"name": "pod-zoom", "key": "ZOOM_HOST"}}
    values = secret_values(meeting.at(Environment.GOVERNMENT), tokens={}, reason="", sdk_jwt=None)
    assert values["ZOOM_HOST"].get_secret_value() == "zoomgov.com"
    assert values["ZOOM_MEETING_URL"].get_secret_value() == f"https://zoomgov.com/j/{MEETING}?pwd=zoom.us"
    assert meeting.at(None) == meeting.at(Environment.ZOOM) == meeting
    given = MeetingRef(MEETING, host="zoom.us", url=meeting.url)
    assert given.at(Environment.GOVERNMENT) == given


def test_kubernetes_does_not_expand_a_display_name() -> None:
    for name, value in (("$(HOME) $$ 5$", "$$(HOME) $$$$ 5$$"), ("Ünï", "Ünï"), ("a b", "a b")):
        env = variables(bot(displayName=name), MeetingRef(MEETING), secret_name="s")
        assert env[1] == {"name": "ZOOM_DISPLAY_NAME", "value": value}


def test_secret_values_has_every_key() -> None:
    values = secret_values(MeetingRef(MEETING), tokens={}, reason="", sdk_jwt=None)
    assert list(values) == list(FROM_SECRET)
    assert {value.get_secret_value() for key, value in values.items() if key != "ZOOM_HOST"} == {""}
    assert values["ZOOM_HOST"].get_secret_value() == "zoom.us"


def test_secret_values_puts_each_where_it_belongs() -> None:
    values = secret_values(
        MeetingRef(
            MEETING, passcode=SecretStr("pass"), registrant_token=SecretStr("tk"), url=SecretStr("https://zoom.us/j/1")
        ),
        tokens={kind: SecretStr(f"token of {kind}") for kind in TokenKind},
        reason="NotTheHost",
        sdk_jwt=SecretStr("jwt"),
    )
    assert {key: value.get_secret_value() for key, value in values.items()} == {
        "ZOOM_MEETING_PASSCODE": "pass",
        "ZOOM_REGISTRANT_TOKEN": "tk",
        "ZOOM_JOIN_TOKEN": "token of LocalRecording",
        "ZOOM_OBF_TOKEN": "token of OnBehalf",
        "ZOOM_ZAK": "token of ZAK",
        "ZOOM_LIVE_STREAMING_TOKEN": "token of LiveStreaming",
        "ZOOM_LOCAL_ARCHIVING_TOKEN": "token of LocalArchiving",
        "ZOOM_TOKEN_REASON": "NotTheHost",
        "ZOOM_MEETING_URL": "https://zoom.us/j/1",
        "ZOOM_SDK_JWT": "jwt",
        "ZOOM_HOST": "zoom.us",
    }
    assert "pass" not in repr(values)

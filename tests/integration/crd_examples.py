"""Objects in YAML that the API server is to take or to refuse by the CRDs: at least one of each for every rule."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Example:
    """An object in YAML; `refused` is a part of the API server's message, or empty if it is to be accepted."""

    name: str
    text: str
    refused: str = ""


def mapping(name: str, spec: str) -> str:
    return f"{{kind: MeetingMapping, metadata: {{name: '{name}'}}, {spec}}}"


def credential(spec: str, *, name: str = "alice") -> str:
    return f"{{kind: ZoomCredential, metadata: {{name: {name}}}, spec: {{appSecretRef: {{name: zoom-app}}, {spec}}}}}"


def bot(spec: str, *, name: str = "standup") -> str:
    return f"{{kind: MeetingBot, metadata: {{name: {name}}}, spec: {{{spec}}}}}"


LINK = "meeting: {url: 'https://zoom.us/j/81234567890'}"
REFRESH_TOKEN = "refreshToken: {secretKeyRef: {name: alice, key: refresh_token}}"
ONE_GRANT = "exactly one of refreshToken, authorizationCode, serverToServer, accessTokenURL and connect must be set"
ONE_MEETING = "exactly one of url, id and urlSecretKeyRef must be set in meeting"

ACCEPTED_CREDENTIALS = (
    Example(name="grant-refresh-token", text=credential(f"grant: {{{REFRESH_TOKEN}}}")),
    Example(
        name="grant-authorization-code",
        text=credential(
            "grant: {authorizationCode: {secretKeyRef: {name: a, key: code}, redirectURI: 'https://x.test/cb', "
            "codeVerifierKey: verifier}}"
        ),
    ),
    Example(
        name="grant-server-to-server", text=credential("level: Account, grant: {serverToServer: {accountId: abc}}")
    ),
    Example(
        name="grant-access-token-url",
        text=credential("grant: {accessTokenURL: {url: 'https://x.test/t', headersSecretRef: {name: h}}}"),
    ),
    Example(name="grant-connect-empty", text=credential("grant: {connect: {}}")),
    Example(
        name="grant-connect-full",
        text=credential(
            "grant: {connect: {expectedEmail: a@x.test, expectedAccountId: abc, returnURL: 'https://x.test/done'}}"
        ),
    ),
    Example(
        name="everything-else",
        text=credential(
            f"grant: {{{REFRESH_TOKEN}}}, tokenSecretName: other, tokenDeletionPolicy: Delete, "
            "refreshPolicy: OnDemand, meetingSync: {enabled: false, intervalSeconds: 60}, "
            "rateLimit: {plan: Business, sharePercent: 100}, suspend: true"
        ),
    ),
    Example(
        name="long-name-with-token-secret-name",
        text=credential("grant: {connect: {}}, tokenSecretName: short", name="a" * 243),
    ),
    Example(name="longest-name", text=credential("grant: {connect: {}}", name="a" * 242)),
    Example(name="null-is-absent", text=credential(f"grant: {{{REFRESH_TOKEN}, connect: null}}, level: null")),
)

REFUSED_CREDENTIALS = (
    Example(name="no-grant", text=credential("level: User"), refused="spec.grant: Required value"),
    Example(name="empty-grant", text=credential("grant: {}"), refused=ONE_GRANT),
    Example(name="two-grants", text=credential(f"grant: {{connect: {{}}, {REFRESH_TOKEN}}}"), refused=ONE_GRANT),
    Example(
        name="return-url-without-tls",
        text=credential("grant: {connect: {returnURL: 'http://x.test'}}"),
        refused="returnURL must begin with https://",
    ),
    Example(
        name="name-too-long-for-the-token-secret",
        text=credential("grant: {connect: {}}", name="a" * 243),
        refused="a name of more than 242 characters needs spec.tokenSecretName",
    ),
    Example(
        name="unknown-field",
        text=credential("grant: {connect: {}}, tokenSecret: x"),
        refused='unknown field "spec.tokenSecret"',
    ),
    Example(
        name="unknown-grant", text=credential("grant: {password: x}"), refused='unknown field "spec.grant.password"'
    ),
    Example(
        name="unknown-level", text=credential("grant: {connect: {}}, level: Team"), refused='Unsupported value: "Team"'
    ),
    Example(
        name="share-over-100",
        text=credential("grant: {connect: {}}, rateLimit: {sharePercent: 101}"),
        refused="spec.rateLimit.sharePercent in body should be less than or equal to 100",
    ),
    Example(
        name="secret-name-in-capitals",
        text=credential("grant: {connect: {}}, tokenSecretName: Tokens"),
        refused="spec.tokenSecretName in body should match",
    ),
    Example(
        name="no-key",
        text=credential("grant: {refreshToken: {secretKeyRef: {name: alice}}}"),
        refused="spec.grant.refreshToken.secretKeyRef.key: Required value",
    ),
    Example(
        name="key-with-a-blank",
        text=credential("grant: {refreshToken: {secretKeyRef: {name: alice, key: 'a b'}}}"),
        refused="spec.grant.refreshToken.secretKeyRef.key in body should match",
    ),
)

ACCEPTED_MAPPINGS = (
    Example(name="plain", text=mapping("81234567890", "spec: {meetingId: '81234567890'}")),
    Example(name="nine-digits", text=mapping("812345678", "spec: {meetingId: '812345678'}")),
    Example(
        name="with-credentials",
        text=mapping("81234567890", "spec: {meetingId: '81234567890', credentials: [{name: a}, {name: b}]}"),
    ),
    Example(
        name="with-status",  # no subresource: it is taken as it is sent
        text=mapping(
            "81234567890",
            "spec: {meetingId: '81234567890'}, status: {phase: Live, uuid: 'aB+/==', "
            "startTime: '2026-11-24T12:00:00Z', eventTimes: {existence: 1795521600123, roles: 1, live: 2}, "
            "credentials: [{name: bob, role: AlternativeHost, source: PMI}], "
            "presence: [{name: bob, present: true, eventTime: 1795521600123}]}",
        ),
    ),
)

REFUSED_MAPPINGS = (
    Example(
        name="another-name",
        text=mapping("standup", "spec: {meetingId: '81234567890'}"),
        refused="metadata.name and spec.meetingId must be the same",
    ),
    Example(name="no-id", text=mapping("81234567890", "spec: {}"), refused="spec.meetingId: Required value"),
    Example(
        name="id-with-blanks",
        text=mapping("81234567890", "spec: {meetingId: '812 345 678'}"),
        refused="spec.meetingId in body should match",
    ),
    Example(
        name="id-too-short",
        text=mapping("12345678", "spec: {meetingId: '12345678'}"),
        refused="spec.meetingId in body should be at least 9 chars long",
    ),
    Example(
        name="id-too-long",
        text=mapping("123456789012", "spec: {meetingId: '123456789012'}"),
        refused="spec.meetingId: Too long",
    ),
    Example(
        name="id-as-a-number",
        text=mapping("81234567890", "spec: {meetingId: 81234567890}"),
        refused="spec.meetingId in body must be of type string",
    ),
    Example(
        name="same-credential-twice",
        text=mapping("81234567890", "spec: {meetingId: '81234567890', credentials: [{name: a}, {name: a}]}"),
        refused="spec.credentials[1]: Duplicate value",
    ),
    Example(
        name="unknown-role",
        text=mapping(
            "81234567890",
            "spec: {meetingId: '81234567890'}, status: {credentials: [{name: a, role: Guest, source: PMI}]}",
        ),
        refused='Unsupported value: "Guest"',
    ),
    Example(
        name="unknown-field",
        text=mapping("81234567890", "spec: {meetingId: '81234567890', topic: x}"),
        refused='unknown field "spec.topic"',
    ),
)

ACCEPTED_BOTS = (
    Example(name="link", text=bot(LINK)),
    Example(name="id", text=bot("meeting: {id: '812 3456 7890', kind: Webinar}")),
    Example(name="id-and-passcode", text=bot("meeting: {id: '81234567890', passcode: 'x'}")),
    Example(
        name="id-and-passcode-in-a-secret",
        text=bot("meeting: {id: '81234567890', passcodeSecretKeyRef: {name: m, key: passcode}}"),
    ),
    Example(name="link-in-a-secret", text=bot("meeting: {urlSecretKeyRef: {name: m, key: url}}")),
    Example(name="longest-name", text=bot(LINK, name="a" * 48)),
    Example(name="no-tokens", text=bot(f"{LINK}, tokens: []")),
    Example(name="on-behalf", text=bot(f"{LINK}, tokens: [LocalRecording, OnBehalf, LiveStreaming, LocalArchiving]")),
    Example(name="zak", text=bot(f"{LINK}, tokens: [LocalRecording, ZAK]")),
    Example(
        name="ttl-with-join-at",
        text=bot(f"{LINK}, joinAt: '2026-11-24T12:00:00Z', ttlSecondsAfterFinished: 3600"),
    ),
    Example(
        name="selector",
        text=bot(
            f"{LINK}, credentialSelector: {{matchLabels: {{customer: acme}}, "
            "matchExpressions: [{key: tier, operator: In, values: [gold]}, {key: test, operator: DoesNotExist}]}"
        ),
    ),
    Example(
        name="everything-else",
        text=bot(
            f"{LINK}, joinAt: '2026-11-24T13:00:00+01:00', displayName: Scribe, credentialRef: {{name: alice}}, "
            "onBehalf: {credentialRef: {name: bob}, waitSeconds: 0, retrySeconds: 1}, tokenPolicy: Required, "
            "tokenWaitSeconds: 0, bypassWaitingRoom: false, tokenDelivery: BeforePod, leadSeconds: 0, "
            "startDeadlineSeconds: 1, maxDurationSeconds: 1, meetingEndPolicy: Stay, leaveAfterMeetingEndSeconds: 0, "
            "retry: {limit: 0, backoffSeconds: 0, neverOnExitCodes: [1, 137]}, suspend: true"
        ),
    ),
    Example(
        name="template",
        text=bot(
            f"{LINK}, template: {{metadata: {{labels: {{a: b}}, annotations: {{c: d}}}}, spec: {{containers: "
            "[{name: bot, image: bot:1, resources: {limits: {memory: 1Gi}}}], nodeSelector: {pool: bots}}}"
        ),
    ),
)

REFUSED_BOTS = (
    Example(name="no-meeting", text=bot("displayName: x"), refused="spec.meeting: Required value"),
    Example(name="empty-meeting", text=bot("meeting: {}"), refused=ONE_MEETING),
    Example(name="kind-only", text=bot("meeting: {kind: Meeting}"), refused=ONE_MEETING),
    Example(name="link-and-id", text=bot("meeting: {url: 'https://x.test', id: '81234567890'}"), refused=ONE_MEETING),
    Example(
        name="link-twice",
        text=bot("meeting: {url: 'https://x.test', urlSecretKeyRef: {name: m, key: url}}"),
        refused=ONE_MEETING,
    ),
    Example(
        name="passcode-twice",
        text=bot("meeting: {id: '81234567890', passcode: x, passcodeSecretKeyRef: {name: m, key: p}}"),
        refused="passcode and passcodeSecretKeyRef exclude each other",
    ),
    Example(
        name="passcode-with-link",
        text=bot("meeting: {url: 'https://x.test', passcode: x}"),
        refused="passcode and passcodeSecretKeyRef need id",
    ),
    Example(
        name="passcode-in-a-secret-with-link-in-a-secret",
        text=bot("meeting: {urlSecretKeyRef: {name: m, key: url}, passcodeSecretKeyRef: {name: m, key: p}}"),
        refused="passcode and passcodeSecretKeyRef need id",
    ),
    Example(
        name="name-too-long",
        text=bot(LINK, name="a" * 49),
        refused="the name of a MeetingBot must have at most 48 characters",
    ),
    Example(
        name="on-behalf-and-zak",
        text=bot(f"{LINK}, tokens: [OnBehalf, LocalRecording, ZAK]"),
        refused="the tokens OnBehalf and ZAK exclude each other",
    ),
    Example(
        name="same-token-twice",
        text=bot(f"{LINK}, tokens: [ZAK, ZAK]"),
        refused='spec.tokens[1]: Duplicate value: "ZAK"',
    ),
    Example(name="unknown-token", text=bot(f"{LINK}, tokens: [Magic]"), refused='Unsupported value: "Magic"'),
    Example(
        name="ttl-without-join-at",
        text=bot(f"{LINK}, ttlSecondsAfterFinished: 3600"),
        refused="ttlSecondsAfterFinished needs joinAt",
    ),
    Example(name="join-at-in-words", text=bot(f"{LINK}, joinAt: noon"), refused="must be of type date-time"),
    Example(
        name="join-at-without-a-zone",
        text=bot(f"{LINK}, joinAt: '2026-11-24T12:00:00'"),
        refused="must be of type date-time",
    ),
    Example(
        name="selector-in-without-values",
        text=bot(f"{LINK}, credentialSelector: {{matchExpressions: [{{key: a, operator: In}}]}}"),
        refused="values must be given for In and NotIn",
    ),
    Example(
        name="selector-exists-with-values",
        text=bot(f"{LINK}, credentialSelector: {{matchExpressions: [{{key: a, operator: Exists, values: [b]}}]}}"),
        refused="values must be given for In and NotIn",
    ),
    Example(
        name="exit-code-out-of-range",
        text=bot(f"{LINK}, retry: {{neverOnExitCodes: [256]}}"),
        refused="should be less than or equal to 255",
    ),
    Example(
        name="on-behalf-user-twice",
        text=bot(f"{LINK}, onBehalf: {{credentialRef: {{name: bob}}, credentialRefs: [{{name: carol}}]}}"),
        refused="at most one of credentialRef, credentialRefs and credentialSelector can be set in onBehalf",
    ),
    Example(name="negative-lead", text=bot(f"{LINK}, leadSeconds: -1"), refused="greater than or equal to 0"),
    Example(name="unknown-field", text=bot(f"{LINK}, joinat: x"), refused='unknown field "spec.joinat"'),
    Example(
        name="unknown-field-in-the-template",
        text=bot(f"{LINK}, template: {{metadata: {{lables: {{a: b}}}}}}"),
        refused='unknown field "spec.template.metadata.lables"',
    ),
)

ACCEPTED = (*ACCEPTED_CREDENTIALS, *ACCEPTED_MAPPINGS, *ACCEPTED_BOTS)
REFUSED = (*REFUSED_CREDENTIALS, *REFUSED_MAPPINGS, *REFUSED_BOTS)


def identify(example: Example) -> str:
    match = re.search(r"kind: (\w+)", example.text)
    assert match is not None
    return f"{match.group(1)}-{example.name}"

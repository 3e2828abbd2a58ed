"""Names that people and other programs see: the API group, kinds, labels, annotations and fixed object names.

Every step of a token's way finds its objects by these names, so they stand in one place.
"""
# ruff: noqa: S105  (names of reasons and objects, not secrets)

from typing import Final

GROUP: Final = "meetingbots.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "zoom"

CREDENTIAL_KIND: Final = "ZoomCredential"
CREDENTIAL_PLURAL: Final = "zoomcredentials"
MAPPING_KIND: Final = "MeetingMapping"
MAPPING_PLURAL: Final = "meetingmappings"
BOT_KIND: Final = "MeetingBot"
BOT_PLURAL: Final = "meetingbots"

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "meetingbots"

# On MeetingMappings: there while the meeting runs, and until its end is dealt with. The value is LIVE.
LIVE_LABEL: Final = f"{GROUP}/live"
LIVE: Final = "true"
# On Pods and the Secrets with their join tokens.
BOT_LABEL: Final = f"{GROUP}/bot"
MEETING_ID_LABEL: Final = f"{GROUP}/meeting-id"
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"
# On token Secrets and consent Secrets: the ZoomCredential that they belong to.
CREDENTIAL_LABEL: Final = f"{GROUP}/credential"
# On Secrets that may be sent as headers to an accessTokenURL. The value is ALLOW_HEADERS.
ALLOW_HEADERS_LABEL: Final = f"{GROUP}/allow-headers"
ALLOW_HEADERS: Final = "true"

# On ZoomCredentials, set by people: refresh once, now, for every new value.
REFRESH_REQUESTED_AT_ANNOTATION: Final = f"{GROUP}/refresh-requested-at"
# On ZoomCredentials, set by people: read the user's meetings again, once for every new value.
SYNC_REQUESTED_AT_ANNOTATION: Final = f"{GROUP}/sync-requested-at"

# On token Secrets: what makes that one object the truth about a consent.
GRANT_FINGERPRINT_ANNOTATION: Final = f"{GROUP}/grant-fingerprint"
USER_ID_ANNOTATION: Final = f"{GROUP}/user-id"
ACCOUNT_ID_ANNOTATION: Final = f"{GROUP}/account-id"
LAST_REFRESH_TIME_ANNOTATION: Final = f"{GROUP}/last-refresh-time"
NEXT_REFRESH_TIME_ANNOTATION: Final = f"{GROUP}/next-refresh-time"
REFRESH_CLAIM_ANNOTATION: Final = f"{GROUP}/refresh-claim"

# On Pods of bots: written after the join token's Secret, so that the kubelet looks at the Pod again at once.
TOKEN_DELIVERED_AT_ANNOTATION: Final = f"{GROUP}/token-delivered-at"

# The container of a bot's Pod that gets the tokens.
BOT_CONTAINER: Final = "bot"
# The Secret, in any namespace, with the webhook that is told how its credentials stand.
NOTIFY_SECRET: Final = "meetingbots-notify"
# The projected Secret in the system namespace that the receiver reads.
RECEIVER_SECRET: Final = "meetingbots-receiver"

"""Names of the contract: the API group, kinds, labels, annotations and fixed object names."""
# ruff: noqa: S105  (names, not secrets)

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

# On MeetingMappings while the meeting is live, until its end is processed. The value is LIVE.
LIVE_LABEL: Final = f"{GROUP}/live"
LIVE: Final = "true"
# On Pods and the Secrets with their join tokens.
BOT_LABEL: Final = f"{GROUP}/bot"
MEETING_ID_LABEL: Final = f"{GROUP}/meeting-id"
# On token and consent Secrets: the name of their ZoomCredential.
CREDENTIAL_LABEL: Final = f"{GROUP}/credential"
# On Secrets that accessTokenURL may send as headers. The value is ALLOW_HEADERS.
ALLOW_HEADERS_LABEL: Final = f"{GROUP}/allow-headers"
ALLOW_HEADERS: Final = "true"

# On ZoomCredentials, set by people: each new value requests a refresh.
REFRESH_REQUESTED_AT_ANNOTATION: Final = f"{GROUP}/refresh-requested-at"
# On ZoomCredentials, set by people: each new value requests a sync of the meetings.
SYNC_REQUESTED_AT_ANNOTATION: Final = f"{GROUP}/sync-requested-at"

# On token Secrets: the state of the consent.
GRANT_FINGERPRINT_ANNOTATION: Final = f"{GROUP}/grant-fingerprint"
USER_ID_ANNOTATION: Final = f"{GROUP}/user-id"
ACCOUNT_ID_ANNOTATION: Final = f"{GROUP}/account-id"
LAST_REFRESH_TIME_ANNOTATION: Final = f"{GROUP}/last-refresh-time"
NEXT_REFRESH_TIME_ANNOTATION: Final = f"{GROUP}/next-refresh-time"
REFRESH_CLAIM_ANNOTATION: Final = f"{GROUP}/refresh-claim"

# On Pods of bots, written after the join Secret, so that the kubelet syncs the Pod at once.
TOKEN_DELIVERED_AT_ANNOTATION: Final = f"{GROUP}/token-delivered-at"

# The container that gets the tokens.
BOT_CONTAINER: Final = "bot"
TOKEN_URL_VARIABLE: Final = "ZOOM_TOKEN_URL"
"""In the environment of container `bot`, if its bot has the token endpoint."""
# The Secret of a namespace with the address for its notifications.
NOTIFY_SECRET: Final = "meetingbots-notify"
# The Secret in the system namespace that the operator writes for the receiver.
RECEIVER_SECRET: Final = "meetingbots-receiver"

"""The actions that a plan for a credential can hold. `reconcile.actions` carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from meetingbots.credentials.decide.token_state import TokenSlot
from meetingbots.models.credential import HandledConsent


@dataclass(frozen=True)
class StoreTokens:
    """Write the tokens that exist only in memory to the token Secret."""


@dataclass(frozen=True)
class CorrectOwners:
    """Set the token Secret's ownerReferences to those that the deletion policy requires."""


@dataclass(frozen=True)
class RedeemGrant:
    """Exchange the grant for tokens and put them into `slot`."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class RefreshTokens:
    """Replace the tokens in `slot` by newer ones of the same consent."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class IdentifyUser:
    """Ask Zoom which user the tokens in `slot` belong to."""

    slot: TokenSlot = TokenSlot.CURRENT


@dataclass(frozen=True)
class EndConsent:
    """Delete the token Secret: the user removed the app."""


@dataclass(frozen=True)
class ConcludeConsents:
    """Delete the Secrets of consents (grant connect) and record their outcomes."""

    outcomes: tuple[HandledConsent, ...]


@dataclass(frozen=True)
class RotateLinkKey:
    """Create a new key that signs connect links."""


CredentialAction: TypeAlias = (
    StoreTokens
    | CorrectOwners
    | RedeemGrant
    | RefreshTokens
    | IdentifyUser
    | EndConsent
    | ConcludeConsents
    | RotateLinkKey
)

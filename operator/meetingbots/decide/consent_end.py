"""When a consent has come to its end, by what Zoom's webhooks told: its user took it back, or is no user any more.

Zoom's word counts until tokens were renewed after it: that Zoom renewed them shows that there is a consent again (or
still). So the replay of an old event does no harm, and a new consent needs nothing to be cleared first.
"""

from __future__ import annotations

from datetime import datetime


def ended_at(*, renewed: datetime | None, deauthorized: datetime | None, removed: datetime | None) -> datetime | None:
    """When the consent ended; None while there is one. `renewed` is when tokens were last had from Zoom."""
    told = max((moment for moment in (deauthorized, removed) if moment is not None), default=None)
    if told is None or (renewed is not None and told < renewed):
        return None
    return told

"""A bot's last words, fit to be shown: what it logs at its end goes into status and Events, its secrets must not.

With terminationMessagePolicy FallbackToLogsOnError (Kubernetes, Pod) that is the end of its log, in which a program
that prints its command line or its link leaves tokens and passcodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import ContainerState, PodState

HIDDEN: Final = "[hidden]"
_SHORTEST_KNOWN: Final = 4
"""A shorter passcode would blot out ordinary words."""
_PARAMETER: Final = re.compile(r"(?i)\b((?:pwd|passcode|password|tk|zak|token|access_token|secret)=)[^\s&\"']+")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]+)*")
_LONG: Final = re.compile(
    r"(?<![A-Za-z0-9_+=-])(?=[A-Za-z0-9_+=-]*[0-9])(?=[A-Za-z0-9_+=-]*[G-Zg-z])[A-Za-z0-9_+=-]{40,}"
)
"""So many characters without a break, more than hexadecimal: no path (its letters alone are not enough), no digest."""


def without_secrets(words: str, *, known: Iterable[SecretStr | None] = ()) -> str:
    """`words` with what is known to be secret, and what looks like a token, blotted out."""
    for secret in known:
        value = secret.get_secret_value() if secret is not None else ""
        if len(value) >= _SHORTEST_KNOWN:
            words = words.replace(value, HIDDEN)
    words = _PARAMETER.sub(rf"\g<1>{HIDDEN}", words)
    return _LONG.sub(HIDDEN, _JWT.sub(HIDDEN, words))


def presentable(pod: PodState, *, known: Iterable[SecretStr | None] = ()) -> PodState:
    """The Pod's state with its containers' last words fit to be shown."""
    secrets = tuple(known)

    def clean(container: ContainerState) -> ContainerState:
        return replace(container, message=without_secrets(container.message, known=secrets))

    if not any(one.message for one in (*pod.init, *pod.others, *((pod.bot,) if pod.bot else ()))):
        return pod
    return replace(
        pod,
        bot=clean(pod.bot) if pod.bot else None,
        others=tuple(map(clean, pod.others)),
        init=tuple(map(clean, pod.init)),
    )

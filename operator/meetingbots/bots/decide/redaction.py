"""Removes secrets from a Pod's texts before they reach status and Events.

With terminationMessagePolicy FallbackToLogsOnError a container's message is the end of its log (Kubernetes, Pod). A
program that logs its command line or its link leaves tokens and passcodes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from meetingbots.bots.decide.pod_names import join_secret_name
from meetingbots.bots.decide.pod_state import ContainerState, PodState

HIDDEN: Final = "[hidden]"
_SHORT: Final = 4
"""Below this length a secret is hidden only as a whole word, because it may be a part of ordinary words."""
_PARAMETER: Final = re.compile(r"(?i)\b((?:pwd|passcode|password|tk|zak|token|access_token|secret)=)[^\s&\"']+")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]+)*")
_LONG: Final = re.compile(
    r"(?<![A-Za-z0-9_+=-])(?=[A-Za-z0-9_+=-]*[0-9])(?=[A-Za-z0-9_+=-]*[G-Zg-z])[A-Za-z0-9_+=-]{40,}"
)
"""A long word with digits and letters beyond hexadecimal, so that paths and digests stay readable."""


def without_secrets(text: str, *, known: Iterable[SecretStr | None] = ()) -> str:
    """`text` without the known secrets and without anything that looks like a token."""
    values = {secret.get_secret_value() for secret in known if secret is not None}
    forms = (values | {quote(value, safe="") for value in values}) - {""}
    for form in sorted(forms, key=len, reverse=True):
        whole_word = rf"(?<!\w){re.escape(form)}(?!\w)"
        text = re.sub(re.escape(form) if len(form) >= _SHORT else whole_word, HIDDEN, text)
    text = _PARAMETER.sub(rf"\g<1>{HIDDEN}", text)
    return _LONG.sub(HIDDEN, _JWT.sub(HIDDEN, text))


def has_text(pod: PodState) -> bool:
    """Whether a Pod has any text that may hold a secret, apart from the message at the late-token gate."""
    texts = (pod.message, pod.disruption, pod.unschedulable)
    waiting = ("", _gate_message(pod))
    return any(texts) or any(one.message or one.waiting_message not in waiting for one in pod.containers)


def _gate_message(pod: PodState) -> str:
    return f'secret "{join_secret_name(pod.name)}" not found'


def presentable(pod: PodState, *, known: Iterable[SecretStr | None] = ()) -> PodState:
    """The Pod's state with texts that are safe to show."""
    if not has_text(pod):
        return pod
    secrets, gate = tuple(known), _gate_message(pod)

    def clean(text: str) -> str:
        return without_secrets(text, known=secrets)

    def shown(container: ContainerState) -> ContainerState:
        # The message that the late-token gate recognises stays: a passcode may be a part of the Pod's name.
        waiting = container.waiting_message
        return replace(
            container, message=clean(container.message), waiting_message=waiting if waiting == gate else clean(waiting)
        )

    return replace(
        pod,
        message=clean(pod.message),
        disruption=clean(pod.disruption),
        unschedulable=clean(pod.unschedulable),
        bot=shown(pod.bot) if pod.bot else None,
        others=tuple(map(shown, pod.others)),
        init=tuple(map(shown, pod.init)),
    )

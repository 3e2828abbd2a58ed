"""The cluster's default template, checked at the start as strictly as a MeetingBot's own: read, merged, dry-run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.pod import PodSettings, bot_pod
from meetingbots.bots.manifests.template import TemplateError, check_content, merge_template
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import InvalidError, KubeError, UnavailableError
from meetingbots.kube.resources import PODS
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot
from meetingbots.runtime.settings import TemplateFileError, parse_template

_log = logging.getLogger(__name__)
_CHECK_AGAIN_SECONDS: Final = 30.0
_MEETING: Final = "123456789"
_SAMPLE_BOT: Final = MeetingBot.from_object(
    {
        "metadata": {"name": "sample", "uid": "sample"},
        "spec": {"meeting": {"id": _MEETING}, "joinAt": "2026-01-01T00:00:00Z"},
    }
)
_SAMPLE_TEMPLATE: Final[Mapping[str, Any]] = {
    "spec": {"containers": [{"name": names.BOT_CONTAINER, "image": "sample"}]}
}


def read_template(path: Path) -> Mapping[str, Any]:
    """The template in a file, if it can become a bot's Pod. Raises `TemplateFileError` and OSError.

    Container bot and its image may be missing: a MeetingBot's own template or the operator's settings can add them.
    """
    template = parse_template(path.read_bytes())
    try:
        _sample_pod(template)
    except TemplateError as error:
        raise TemplateFileError(f"holds a template that no bot can have: {error}") from None
    return template


def _sample_pod(template: Mapping[str, Any]) -> dict[str, Any]:
    check_content(template)
    settings, now = PodSettings(template=merge_template(_SAMPLE_TEMPLATE, template)), datetime(2026, 1, 1, tzinfo=UTC)
    return bot_pod(_SAMPLE_BOT, name="sample", meeting=MeetingRef(_MEETING), settings=settings, now=now)


class DefaultTemplateCheck:
    """Asks Kubernetes by a dry run in `namespace` whether it accepts a Pod of the template in `path`.

    Only the Pod's content counts. Quotas, rights, policies and admission webhooks differ between namespaces.
    """

    def __init__(self, *, kube: Kube, path: Path | None, namespace: str) -> None:
        self._kube = kube
        self._path = path
        self._namespace = namespace
        self._accepted = path is None

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against the template; False until the first answer."""
        return self._accepted

    async def run(self) -> None:
        """Check until Kubernetes accepts the template, which the file's next version may achieve."""
        logged = ""
        while self._path is not None:
            refusal = await self._refusal(self._path)
            self._accepted = not refusal
            if refusal == "":
                return
            if refusal is not None and refusal != logged:
                _log.error("%s: Kubernetes refuses the default template: %s", self._path, refusal)
                logged = refusal
            await asyncio.sleep(_CHECK_AGAIN_SECONDS)

    async def _refusal(self, path: Path) -> str | None:
        """Why Kubernetes refuses the Pod; empty if it does not, None if it does not answer."""
        try:
            pod = _sample_pod(read_template(path))
        except (OSError, TemplateFileError):
            return ""  # An invalid file is reported where the template is used.
        pod["metadata"]["namespace"] = self._namespace
        try:
            await self._kube.create(PODS, namespace=self._namespace, body=pod, dry_run=True, strict=True)
        except InvalidError as error:
            return "" if "webhook" in str(error) else str(error)
        except UnavailableError:
            return None
        except KubeError:
            return ""
        return ""

"""MkDocs hook: lets pages link to files outside docs/, with links that also work in the repository.

Files in PAGES become pages of the site. Any other file that a page links to is copied below `repository/`.
A link to something that does not exist fails the build.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributors/contributing.md",
    "SECURITY.md": "operators/security.md",
    "charts/meetingbots/README.md": "operators/chart.md",
}
"""Files of the repository that are pages of the site."""

_LINK: Final = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_LOG: Final = logging.getLogger("mkdocs.hooks.repository_files")
_SOURCES: Final = {page: source for source, page in PAGES.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the repository's own pages."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Rewrite the links that lead out of docs/."""
    at = page.file.src_uri
    source = _SOURCES.get(at, f"docs/{at}")

    def rewritten(link: re.Match[str]) -> str:
        opening, path, anchor, closing = link[1], link[2], link[3] or "", link[4]
        if re.match(r"[a-z]+:", path):
            return link[0]
        target = _target(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)), files, config)
        if target is None:
            _LOG.warning("Page '%s' links to '%s', which is no file of the repository", at, path)
            return link[0]
        return f"{opening}{posixpath.relpath(target, posixpath.dirname(at) or '.')}{anchor}{closing}"

    return _LINK.sub(rewritten, markdown)


def _target(path: str, files: Files, config: Any) -> str | None:
    """Where in the site a path of the repository is; None if it does not exist."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if not (ROOT / path).is_file():
        return None
    name = f"repository/{path}"
    if path.endswith(".md"):  # shown as text, since it is no page of the navigation
        name += ".txt"
    if files.get_file_from_path(name) is None:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return name

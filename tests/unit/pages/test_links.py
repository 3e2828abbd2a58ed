"""Links in the repository's pages lead to a file that exists, and to a heading that it has."""

import re
from pathlib import Path

import pytest

from tests.unit.pages.yaml_blocks import PAGES, ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
# GitHub and the site show a picture with this anchor on a light or a dark page only.
THEMES = ("gh-light-mode-only", "gh-dark-mode-only")


def links(page: Path) -> list[str]:
    return [link[1] or link[2] for link in LINK.finditer(page.read_text(encoding="utf-8"))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    wrong = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        known = THEMES if target.suffix == ".svg" else anchors(target) if anchor and target.is_file() else ()
        if not target.exists() or (anchor and anchor not in known):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("part", ["users", "operators", "contributors"])
def test_the_readme_links_to_each_part_and_the_part_to_its_pages(part: str) -> None:
    index = ROOT / "docs" / part / "index.md"
    assert f"docs/{part}/index.md" in links(ROOT / "README.md")
    linked = {(index.parent / link).resolve() for link in links(index)}
    assert [page.name for page in index.parent.glob("*.md") if page not in linked | {index}] == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One heading\n[a](page.md#one-heading) [b](page.md#two) [c](nowhere.md) [d](https://x.example)\n"
        '<img src="nothing.svg">\n'
    )
    assert broken(page) == ["page.md#two", "nowhere.md", "nothing.svg"]

"""Links from page to page lead somewhere: to a file that is there, and to a heading that it has."""

import re
from pathlib import Path

import pytest

from tests.unit.pages.yaml_blocks import PAGES, ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    wrong = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("part", ["users", "operators", "contributors"])
def test_the_readme_links_to_each_part_and_the_part_to_its_pages(part: str) -> None:
    index = ROOT / "docs" / part / "index.md"
    assert f"](docs/{part}/index.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [page.name for page in index.parent.glob("*.md") if page not in linked | {index}] == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](page.md#one-heading) [b](page.md#two) [c](nowhere.md) [d](https://x.example)\n")
    assert broken(page) == ["page.md#two", "nowhere.md"]

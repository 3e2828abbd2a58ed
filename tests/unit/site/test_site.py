"""The documentation's site: it loads nothing from elsewhere, and its build fails on a link that leads nowhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOADED = re.compile(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?(https?://[^\"\s>]+)")


def build(site: Path, *, docs: Path = ROOT / "docs") -> subprocess.CompletedProcess[str]:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = config.replace("docs_dir: docs", f"docs_dir: {docs}").replace("site_dir: .run/site", f"site_dir: {site}")
    config = config.replace("- tests/site/", f"- {ROOT}/tests/site/")
    file = site.parent / "mkdocs.yml"
    file.write_text(config, encoding="utf-8")
    command = (sys.executable, "-m", "mkdocs", "build", "--config-file", str(file))
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_site_loads_nothing_from_other_hosts(tmp_path: Path) -> None:
    built = build(tmp_path / "site")
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 15
    assert {link for page in pages for link in LOADED.findall(page.read_text(encoding="utf-8"))} == set()
    assert (tmp_path / "site" / "repository" / "examples" / "access-token.yaml").is_file()


@pytest.mark.parametrize("link", ["nowhere.md", "../examples/none.yaml", "glossary.md#nothing"])
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, link: str) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[link]({link})\n")
    assert build(tmp_path / "site", docs=tmp_path / "docs").returncode != 0


def test_a_page_outside_the_navigation_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "docs" / "lost.md").write_text("# Lost\n")
    assert build(tmp_path / "site", docs=tmp_path / "docs").returncode != 0

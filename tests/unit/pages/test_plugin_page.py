"""The page of the plugin shows what the plugin prints."""

from tests.tables import plugin_output
from tests.unit.pages.yaml_blocks import ROOT


def test_the_page_has_the_output_of_today() -> None:
    page = (ROOT / "docs/users/plugin.md").read_text(encoding="utf-8")
    assert plugin_output.in_document(page) == page, "run make docs-files"

"""Write the tables into the docs."""

from pathlib import Path

from tests.tables import answers, causes, faults, links, plugin_output, pod_ends, zoom_app

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = (
    ("users/zoom-answers.md", answers.in_document),
    ("users/bot-ends.md", pod_ends.in_document),
    ("users/links.md", links.in_document),
    ("users/faults.md", faults.in_document),
    ("users/meetingbot.md", causes.in_document),
    ("users/plugin.md", plugin_output.in_document),
    ("operators/zoom-app.md", zoom_app.in_document),
)

if __name__ == "__main__":
    for name, in_document in PAGES:
        page = DOCS / name
        page.write_text(in_document(page.read_text(encoding="utf-8")), encoding="utf-8")

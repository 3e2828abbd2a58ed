"""Write the tables into the docs."""

from pathlib import Path

from tests.tables import answers, zoom_app

DOCS = Path(__file__).resolve().parents[2] / "docs"

if __name__ == "__main__":
    for name, in_document in (
        ("users/zoom-answers.md", answers.in_document),
        ("operators/zoom-app.md", zoom_app.in_document),
    ):
        document = DOCS / name
        document.write_text(in_document(document.read_text()))

"""Write the tables into the docs."""

from pathlib import Path

from tests.tables.answers import in_document

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "credentials.md"

if __name__ == "__main__":
    DOCUMENT.write_text(in_document(DOCUMENT.read_text()))

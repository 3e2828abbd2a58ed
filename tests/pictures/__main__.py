"""Draw the pictures: `make docs-files`."""

from tests.pictures.files import drawn

if __name__ == "__main__":
    for path, canvas in drawn():
        path.write_text(canvas.svg(), encoding="utf-8")

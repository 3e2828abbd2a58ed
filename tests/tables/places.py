"""Generated places in the docs: each lies between two comments with the table's name."""


class NoPlaceError(ValueError):
    """The document has no place for the table."""


def with_table(text: str, *, name: str, table: str) -> str:
    """Replace the table of this name. Raises NoPlaceError if the document has no place for it."""
    begin, end = f"<!-- {name}: made by python -m tests.tables -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise NoPlaceError(f"the document needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"

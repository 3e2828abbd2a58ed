"""An answer that ends the work on a request."""

from __future__ import annotations


class RequestRefusal(Exception):  # noqa: N818 - an answer, not an error
    """Answer with `status`. `result` labels the metric; `text` contains nothing secret."""

    def __init__(self, status: int, result: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.result = result
        self.text = text

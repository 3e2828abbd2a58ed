"""Zoom's consent page: plain HTML, no script."""

from collections.abc import Iterable
from html import escape

from aiohttp import web

from .world import App, User


def consent(*, app: App, users: Iterable[User], action: str) -> web.Response:
    """Make the page that asks for consent, with a choice of the user who is signed in."""
    options = "".join(f'<option value="{escape(user.id)}">{escape(user.email)}</option>' for user in users)
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in app.asked_scopes)
    body = f"""<h1>{escape(app.name)} asks for access to your Zoom account</h1>
<p>This is a simulator of Zoom; it changes no real account.</p>
<ul>{scopes}</ul>
<form method="post" action="{escape(action)}">
<p><label for="user">Signed in as</label> <select id="user" name="user">{options}</select></p>
<p><button name="decision" value="accept">Allow</button> <button name="decision" value="refuse">Decline</button></p>
</form>"""
    return _page(body, title="Authorize app", status=200)


def refusal(what: str, code: int) -> web.Response:
    """Make the page of an error; Zoom writes its codes with a comma."""
    return _page(f"<h1>{escape(what)}</h1>\n<p>({code:,})</p>", title="Error", status=400)


def _page(body: str, *, title: str, status: int) -> web.Response:
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)} - Zoom simulator</title></head>
<body>
{body}
</body></html>
"""
    return web.Response(status=status, text=html, content_type="text/html", headers={"Cache-Control": "no-store"})

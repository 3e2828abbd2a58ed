"""Keeps archives by their digest, in memory: `PUT /DIGEST.tar.gz` stores one, `GET` gives it to Flux.

It runs by itself in a container, so it imports nothing of this checkout.
"""

import hashlib

from aiohttp import web

PORT = 8080
LARGEST_BYTES = 4 * 2**20
ARCHIVES = web.AppKey("archives", dict[str, bytes])


async def store(request: web.Request) -> web.Response:
    """Keep an archive if it is the one that its address says."""
    digest, archive = request.match_info["digest"], await request.read()
    if hashlib.sha256(archive).hexdigest() != digest:
        raise web.HTTPBadRequest(text="the archive has another digest\n")
    request.app[ARCHIVES][digest] = archive
    return web.Response(status=201)


async def give(request: web.Request) -> web.Response:
    """Give an archive; 404 for one that was never stored."""
    archive = request.app[ARCHIVES].get(request.match_info["digest"])
    if archive is None:
        raise web.HTTPNotFound
    return web.Response(body=archive, content_type="application/gzip")


async def alive(request: web.Request) -> web.Response:
    """Answer the kubelet."""
    return web.Response(text="ok\n")


def application() -> web.Application:
    """The server, with nothing in it."""
    app = web.Application(client_max_size=LARGEST_BYTES)
    app[ARCHIVES] = {}
    app.add_routes(
        [
            web.put("/{digest:[0-9a-f]{64}}.tar.gz", store),
            web.get("/{digest:[0-9a-f]{64}}.tar.gz", give),
            web.get("/healthz", alive),
        ]
    )
    return app


if __name__ == "__main__":
    web.run_app(application(), port=PORT)

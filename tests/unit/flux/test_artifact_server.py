import hashlib

from aiohttp.test_utils import TestClient, TestServer

from tests.flux.artifact_server import application

ARCHIVE = b"an archive"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


async def test_what_was_stored_is_given_and_nothing_else() -> None:
    async with TestClient(TestServer(application())) as http:
        assert (await http.get(f"/{DIGEST}.tar.gz")).status == 404
        assert (await http.put(f"/{DIGEST}.tar.gz", data=ARCHIVE)).status == 201
        assert await (await http.get(f"/{DIGEST}.tar.gz")).read() == ARCHIVE
        assert (await http.put(f"/{DIGEST}.tar.gz", data=b"another")).status == 400
        assert await (await http.get(f"/{DIGEST}.tar.gz")).read() == ARCHIVE

"""A certificate authority of a company, made for one test."""

import ssl
from pathlib import Path

import trustme

ZOOM_HOSTS = ("zoom.us", "api.zoom.us")


class Authority:
    """Signs certificates; a client trusts them only with `ca_file`."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="Example Corporation")
        self.ca_file = folder / "company-ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """Make the TLS side of a server that is called by these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*hosts).configure_cert(context)
        return context

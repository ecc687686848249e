"""The client that HTTP tasks and expressions make their requests with."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from windhover.core.http_options import BasicAuthentication, BearerAuthentication, HttpOptions

if TYPE_CHECKING:
    import ssl

    import httpx


def open_client(options: HttpOptions) -> httpx.AsyncClient:
    """A client that is as the options say; it is to be closed by its user.

    Raises:
        ValueError: a proxy is wanted, and its address or port is missing.
        ImportError: the proxy needs a library that is not installed.
    """
    import httpx

    limits = options.timeouts()
    connect = limits.connect_timeout
    trusts_all = options.ssl is not None and options.ssl.insecure_trust_all_certificates is True
    return httpx.AsyncClient(
        timeout=httpx.Timeout(
            limits.read_idle_timeout.total_seconds(),
            connect=None if connect is None else connect.total_seconds(),
        ),
        verify=False if trusts_all else _trusted_certificates(),
        follow_redirects=options.follow_redirects,
        proxy=options.proxy_url(),
        auth=_authentication(options),
    )


@cache
def _trusted_certificates() -> ssl.SSLContext:
    """All certificates that are trusted; reading them takes longer than many a request."""
    import httpx

    return httpx.create_ssl_context()


def _authentication(options: HttpOptions) -> httpx.Auth | None:
    import httpx

    found = options.credentials()
    if found is None or isinstance(found, BearerAuthentication):
        return None
    user, password = found.username or "", found.password or ""
    if isinstance(found, BasicAuthentication):
        return httpx.BasicAuth(user, password)
    return httpx.DigestAuth(user, password)


def bearer_header(options: HttpOptions) -> dict[str, str]:
    """The header that carries a token, if that is how the request says who it comes from."""
    found = options.credentials()
    if isinstance(found, BearerAuthentication):
        return {"authorization": f"Bearer {found.token or ''}"}
    return {}

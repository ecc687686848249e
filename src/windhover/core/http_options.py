"""How an HTTP request is made: time limits, proxy, credentials, certificates, which answers are accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from windhover.model.definition import Definition
from windhover.plugin.types import Duration

LoggedPart = Literal["REQUEST_HEADERS", "REQUEST_BODY", "RESPONSE_HEADERS", "RESPONSE_BODY"]

_PARTS_BY_LEVEL: dict[str, tuple[LoggedPart, ...]] = {
    "TRACE": ("REQUEST_HEADERS", "REQUEST_BODY", "RESPONSE_HEADERS", "RESPONSE_BODY"),
    "DEBUG": ("REQUEST_HEADERS", "RESPONSE_HEADERS"),
    "INFO": ("RESPONSE_HEADERS",),
}


class Timeouts(Definition):
    """Time limits of a request."""

    connect_timeout: Annotated[Duration | None, Field(description="For the connection; none if unset.")] = (
        None
    )
    read_idle_timeout: Annotated[Duration, Field(description="For each wait for more of the answer.")] = (
        timedelta(minutes=5)
    )


class Proxy(Definition):
    """A server through which requests go."""

    type: Literal["DIRECT", "HTTP", "SOCKS"] = "DIRECT"
    address: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = None


class BasicAuthentication(Definition):
    """User name and password, sent with the request."""

    type: Literal["BASIC"]
    username: str | None = None
    password: str | None = None


class BearerAuthentication(Definition):
    """A token, sent with the request."""

    type: Literal["BEARER"]
    token: str | None = None


class DigestAuthentication(Definition):
    """User name and password, of which only a digest is sent once the server asks for it."""

    type: Literal["DIGEST"]
    username: str | None = None
    password: str | None = None


class SslOptions(Definition):
    """How certificates are checked."""

    insecure_trust_all_certificates: bool | None = None


class HttpOptions(Definition):
    """The property ``options`` of HTTP tasks."""

    timeout: Timeouts | None = None
    proxy: Proxy | None = None
    auth: Annotated[
        BasicAuthentication | BearerAuthentication | DigestAuthentication | None,
        Field(discriminator="type"),
    ] = None
    ssl: SslOptions | None = None
    follow_redirects: bool = True
    allow_failed: Annotated[bool, Field(description="Let a status of 400 and above pass.")] = False
    allowed_response_codes: Annotated[list[int] | None, Field(description="The only statuses that pass.")] = (
        None
    )
    enabled_tcp_extended_keep_alive: Annotated[
        bool, Field(description="Accepted; connections are not kept after a request.")
    ] = True
    default_charset: Annotated[str, Field(description="Of bodies that do not say theirs.")] = "UTF-8"
    logs: Annotated[list[LoggedPart] | None, Field(description="What to write to the log, at DEBUG.")] = None

    connect_timeout: Annotated[Duration | None, Field(deprecated=True)] = None
    read_timeout: Annotated[Duration | None, Field(deprecated=True)] = None
    read_idle_timeout: Annotated[Duration | None, Field(deprecated=True)] = None
    connection_pool_idle_timeout: Annotated[Duration | None, Field(deprecated=True)] = None
    max_content_length: Annotated[int | None, Field(deprecated=True)] = None
    proxy_type: Annotated[Literal["DIRECT", "HTTP", "SOCKS"] | None, Field(deprecated=True)] = None
    proxy_address: Annotated[str | None, Field(deprecated=True)] = None
    proxy_port: Annotated[int | None, Field(deprecated=True)] = None
    proxy_username: Annotated[str | None, Field(deprecated=True)] = None
    proxy_password: Annotated[str | None, Field(deprecated=True)] = None
    basic_auth_user: Annotated[str | None, Field(deprecated=True)] = None
    basic_auth_password: Annotated[str | None, Field(deprecated=True)] = None
    log_level: Annotated[str | None, Field(deprecated=True)] = None

    # Deprecated properties are read from the instance's dictionary: an attribute would warn each time.

    def timeouts(self) -> Timeouts:
        """The time limits, by their names of today."""
        old = vars(self)
        limits = self.timeout or Timeouts()
        return Timeouts(
            connect_timeout=limits.connect_timeout or old["connect_timeout"],
            read_idle_timeout=old["read_timeout"] or limits.read_idle_timeout,
        )

    def proxy_url(self) -> str | None:
        """The address of the proxy with its credentials; None where requests go directly.

        Raises:
            ValueError: a proxy is wanted, and its address or port is missing.
        """
        from urllib.parse import quote

        old = vars(self)
        proxy = self.proxy or Proxy(
            type=old["proxy_type"] or "DIRECT",
            address=old["proxy_address"],
            port=old["proxy_port"],
            username=old["proxy_username"],
            password=old["proxy_password"],
        )
        if proxy.type == "DIRECT":
            return None
        if not proxy.address or proxy.port is None:
            raise ValueError("A proxy needs an `address` and a `port`")
        user = ""
        if proxy.username:
            user = f"{quote(proxy.username, safe='')}:{quote(proxy.password or '', safe='')}@"
        return f"{'socks5' if proxy.type == 'SOCKS' else 'http'}://{user}{proxy.address}:{proxy.port}"

    def credentials(self) -> BasicAuthentication | BearerAuthentication | DigestAuthentication | None:
        """How the request says who it comes from."""
        old = vars(self)
        if self.auth is None and old["basic_auth_user"] is not None:
            return BasicAuthentication(
                type="BASIC", username=old["basic_auth_user"], password=old["basic_auth_password"]
            )
        return self.auth

    def logged(self) -> frozenset[LoggedPart]:
        """What is written to the log."""
        return frozenset(self.logs or _PARTS_BY_LEVEL.get(vars(self)["log_level"] or "", ()))

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status lets the task go on."""
        if self.allowed_response_codes:
            return status in self.allowed_response_codes
        return self.allow_failed or status < 400

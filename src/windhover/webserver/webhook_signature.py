"""HMAC signatures of webhooks: what GitHub, Slack and Stripe send, and what anybody else does.

A signature is checked over the bytes as they arrive, so that a body need not be held in memory for it, and
compared in constant time.

Documentation page: ``docs/webhooks.md``.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta

from starlette.datastructures import Headers

from windhover.core.webhook_options import Signature, SignatureEncoding, SignatureType


class SignatureRefused(Exception):
    """A request does not carry the signature that it must; the message is for the server's log."""


class SignatureCheck:
    """Checks one request. Feed it the body, then ask it to :meth:`verify`."""

    def __init__(self, signature: Signature, secret: str, headers: Headers, now: datetime) -> None:
        """
        Raises:
            SignatureRefused: there is no signature, or its timestamp is too far away.
        """
        algorithm = signature.algorithm.value.lower()
        signed = b""
        match signature.type:
            case SignatureType.GITHUB:
                algorithm = "sha256"
                self._wanted = [_after("sha256=", _header(headers, "X-Hub-Signature-256"))]
            case SignatureType.SLACK:
                algorithm = "sha256"
                stamp = _header(headers, "X-Slack-Request-Timestamp")
                _check_age(stamp, signature.tolerance, now)
                self._wanted = [_after("v0=", _header(headers, "X-Slack-Signature"))]
                signed = f"v0:{stamp}:".encode()
            case SignatureType.STRIPE:
                algorithm = "sha256"
                stamp, self._wanted = _stripe(_header(headers, "Stripe-Signature"))
                _check_age(stamp, signature.tolerance, now)
                signed = f"{stamp}.".encode()
            case SignatureType.GENERIC:
                self._wanted = [_after(signature.prefix, _header(headers, signature.header))]
                if signature.timestamp_header is not None:
                    stamp = _header(headers, signature.timestamp_header)
                    _check_age(stamp, signature.tolerance, now)
                    signed = f"{stamp}.".encode()
        in_base64 = signature.type is SignatureType.GENERIC and signature.encoding is SignatureEncoding.BASE64
        self._in_base64 = in_base64
        self._digest = hmac.new(secret.encode(), signed, algorithm)

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._digest.update(chunk)

    def verify(self) -> None:
        """
        Raises:
            SignatureRefused: the signature is another one.
        """
        raw = self._digest.digest()
        own = base64.b64encode(raw).decode() if self._in_base64 else raw.hex()
        # All are compared, so that the time tells nothing.
        matches = [hmac.compare_digest(own.encode(), wanted.encode()) for wanted in self._wanted]
        if not any(matches):
            raise SignatureRefused("the signature does not fit the body")


def _header(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureRefused(f"the header {name} is missing")
    return value.strip()


def _after(prefix: str, value: str) -> str:
    if not value.startswith(prefix):
        raise SignatureRefused(f"the signature does not begin with `{prefix}`")
    return value.removeprefix(prefix)


def _stripe(header: str) -> tuple[str, list[str]]:
    """The timestamp and the signatures of ``t=1,v1=abc,v1=def``."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if not stamps or not signatures:
        raise SignatureRefused("the header Stripe-Signature has no timestamp or no signature")
    return stamps[0], signatures


def _check_age(stamp: str, tolerance: timedelta, now: datetime) -> None:
    try:
        signed_at = datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise SignatureRefused("the timestamp is no number of seconds") from None
    if abs(now - signed_at) > tolerance:
        raise SignatureRefused("the timestamp is too far from now")

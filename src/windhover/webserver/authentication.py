"""Who may use the API: HTTP Basic, or the cookie that a login sets.

There is one user. The configuration names it (``kestra.server.basic-auth.username`` and ``password``), or
else the set-up page does once, and what it chose is kept in the settings of the database. Until there is
one, the API is open. A configured user always goes before a stored one, which is how a lost password is
replaced.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from windhover.config.server_settings import BasicAuthSettings
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.settings import SettingRepository
from windhover.webserver.errors import ApiError, error_response, translate
from windhover.webserver.passwords import hash_password, verify_password

COOKIE = "BASIC_AUTH"
SETTING = "kestra.server.basic-auth"

#: Seconds for which a stored user is trusted to be unchanged; another server may change it.
_STORED_USER_AGE = 5.0
#: Verifying a stored password is expensive by design, so only so many are verified at a time.
_VERIFICATIONS = 2

#: Where the state of a request keeps who it comes from.
_USERNAME = "username"

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_MIN_PASSWORD = 8
_MAX_CREDENTIAL = 256

#: Paths below /api/v1 that a browser needs before anybody has logged in.
_BEFORE_LOGIN = frozenset({"/configs", "/configs/login", "/basicAuthValidationErrors", "/login", "/logout"})

#: Whoever knows the key of a webhook may call it; a further path is refused, and not asked for credentials.
_WEBHOOK = re.compile(r"/api/v1/([^/]+/)?executions/webhook(/[^/]+){3}(/.*)?")


@dataclass(frozen=True, slots=True)
class StoredUser:
    """The user that the set-up page chose."""

    username: str
    password_hash: str


class Authentication:
    """Knows the user and checks credentials."""

    def __init__(
        self, settings: BasicAuthSettings, stored: SettingRepository, clock: Callable[[], datetime]
    ) -> None:
        self._repository = stored
        self._clock = clock
        self._open_urls = tuple(settings.open_urls)
        self.realm = settings.realm
        # Credentials are compared by digests under a key of this process: quick, and in constant time.
        self._key = os.urandom(32)
        self._configured: bytes | None = None
        self._complaints: list[str] = []
        if settings.username and settings.password is not None and settings.password.get_secret_value():
            password = settings.password.get_secret_value()
            self._configured = self._digest(settings.username, password)
            self._complaints = credential_problems(settings.username, password)
        self._accepted: bytes | None = None
        self._user: StoredUser | None = None
        self._user_read_at: float | None = None
        self._verifications = asyncio.Semaphore(_VERIFICATIONS)

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the configured credentials; they work nevertheless."""
        return list(self._complaints)

    @property
    def is_configured(self) -> bool:
        """The configuration names the user."""
        return self._configured is not None

    async def is_initialized(self) -> bool:
        """Whether there is a user, so that credentials are asked for."""
        return self._configured is not None or await self._stored_user() is not None

    async def check(self, username: str, password: str) -> bool:
        """Whether these are the user's credentials. Says nothing of which part is wrong."""
        digest = self._digest(username, password)
        if self._configured is not None:
            return hmac.compare_digest(digest, self._configured)
        user = await self._stored_user()
        if user is None:
            return False
        if self._accepted is not None and hmac.compare_digest(digest, self._accepted):
            return True
        if len(username) > _MAX_CREDENTIAL or len(password) > _MAX_CREDENTIAL:
            return False
        async with self._verifications:
            right = await asyncio.to_thread(verify_password, password, user.password_hash)
        # Both are always looked at, so that the time tells nothing.
        if right & hmac.compare_digest(username.encode(), user.username.encode()):
            self._accepted = digest
            return True
        return False

    async def choose(self, username: str, password: str) -> None:
        """Keep a user for good, in place of the one kept so far.

        Raises:
            ApiError: 422, the name is no e-mail address or the password too weak.
        """
        problems = credential_problems(username, password)
        if problems:
            raise ApiError(422, "Invalid username or password: " + "; ".join(problems))
        user = StoredUser(username, await asyncio.to_thread(hash_password, password))
        value = {"username": user.username, "password": user.password_hash}
        await self._repository.put(SETTING, value, self._clock())
        self._remember(user)

    def is_open(self, path: str) -> bool:
        """Whether a path needs no credentials."""
        if not path.startswith("/api/") or path.startswith(self._open_urls or ("\0",)):
            return True
        return path.removeprefix("/api/v1") in _BEFORE_LOGIN or _WEBHOOK.fullmatch(path) is not None

    def _digest(self, username: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{len(username)}:{username}:{password}".encode(), hashlib.sha256)

    async def _stored_user(self) -> StoredUser | None:
        now = asyncio.get_running_loop().time()
        if self._user_read_at is None or now - self._user_read_at > _STORED_USER_AGE:
            value = await self._repository.get(SETTING)
            user = None
            if isinstance(value, dict) and isinstance(value.get("username"), str):
                user = StoredUser(value["username"], str(value.get("password", "")))
            if user != self._user:
                self._remember(user)
            self._user_read_at = now
        return self._user

    def _remember(self, user: StoredUser | None) -> None:
        self._user = user
        self._accepted = None
        self._user_read_at = asyncio.get_running_loop().time()


def credential_problems(username: str, password: str) -> list[str]:
    """What is wrong with a user name and a password; empty when they will do."""
    problems = []
    if len(username) > _MAX_CREDENTIAL or _EMAIL.fullmatch(username) is None:
        problems.append("the username must be a valid e-mail address")
    if len(password) > _MAX_CREDENTIAL:
        problems.append(f"the password must have at most {_MAX_CREDENTIAL} characters")
    if (
        len(password) < _MIN_PASSWORD
        or not any(map(str.isupper, password))
        or not any(map(str.islower, password))
        or not any(map(str.isdigit, password))
    ):
        problems.append(
            f"the password must have at least {_MIN_PASSWORD} characters, "
            "with an upper-case letter, a lower-case letter and a digit"
        )
    return problems


def encode_credentials(username: str, password: str) -> str:
    """The value of the cookie, and of the header after ``Basic``."""
    return base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


class AuthenticationMiddleware:
    """Refuses requests without the user's credentials, once there is a user."""

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._authentication.is_open(scope["path"]):
            try:
                refusal = await self._refusal(scope)
            except RepositoryUnavailable as error:
                refusal = translate(error)
            if refusal is not None:
                await error_response(scope["path"], refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> ApiError | None:
        authentication = self._authentication
        if not await authentication.is_initialized():
            return None
        credentials = read_credentials(Headers(scope=scope))
        if credentials is not None and await authentication.check(*credentials):
            scope.setdefault("state", {})[_USERNAME] = credentials[0]
            return None
        # A browser's own dialogue would cover the login page, so only programs are challenged.
        challenge = {"WWW-Authenticate": f'Basic realm="{authentication.realm}", charset="UTF-8"'}
        is_page = "x-requested-with" in Headers(scope=scope)
        return ApiError(401, "Unauthorized", headers=None if is_page else challenge)


def actor_of(request: Request) -> str | None:
    """Who a request comes from; None where nobody has to say."""
    username: str | None = getattr(request.state, _USERNAME, None)
    return username


def read_credentials(headers: Headers) -> tuple[str, str] | None:
    """User name and password of the header or the cookie of a request; None when there are none."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        encoded = _cookie(headers)
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (username, password) if colon else None


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value

"""Keeping secrets out of logs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, quote_plus

from windhover.expression.values import MASK

#: Shorter texts are no secrets: masking each ``1`` would make a log unreadable and hide nothing.
MIN_LENGTH = 3


class SecretMask:
    """Replaces secrets in texts, in the forms in which they usually get there.

    Besides the value itself: its lines when it has several, the texts in it when it is a JSON object or
    list, and each of these as base64, percent-encoded, and escaped as in JSON.
    """

    def __init__(self) -> None:
        self._known = 0
        self._pattern: re.Pattern[str] | None = None

    def cover(self, secrets: Collection[str]) -> None:
        """Mask these values from now on; ``secrets`` only ever grows."""
        if len(secrets) == self._known:
            return
        self._known = len(secrets)
        forms = {form for secret in secrets for form in _forms(secret)}
        if forms:
            # The longest first: a secret may be a part of another.
            ordered = sorted(forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(form) for form in ordered))

    def apply(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def _forms(secret: str) -> Iterator[str]:
    for part in _parts(str(secret)):
        if len(part) < MIN_LENGTH:
            continue
        data = part.encode("utf-8", "surrogatepass")
        encoded = base64.b64encode(data).decode()
        for form in (
            part,
            encoded,
            encoded.rstrip("="),
            base64.urlsafe_b64encode(data).decode(),
            quote(data, safe=""),
            quote_plus(data),
            json.dumps(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            part.upper(),
            part.lower(),
        ):
            if len(form) >= MIN_LENGTH:
                yield form


def _parts(secret: str) -> Iterator[str]:
    yield secret
    stripped = secret.strip()
    yield stripped
    if "\n" in stripped:
        yield from (line.strip() for line in stripped.splitlines())
    if stripped[:1] in ("{", "["):
        try:
            yield from _texts_in(json.loads(stripped))
        except (ValueError, RecursionError):
            return


def _texts_in(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)

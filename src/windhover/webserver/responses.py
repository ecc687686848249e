"""Answers: JSON straight from msgspec, and lists in pages."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


class JsonResponse(Response):
    """An answer in JSON, encoded by msgspec: Structs, dataclasses, maps and lists; compact."""

    media_type = "application/json"

    def __init__(
        self, content: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(_encoder.encode(content), status_code, headers)


def no_content() -> Response:
    """204: done, and nothing to say."""
    return Response(status_code=204)

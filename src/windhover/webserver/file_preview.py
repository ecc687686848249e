"""The beginning of a file, for people to look at."""

from __future__ import annotations

import base64
import codecs
import csv
import io
from pathlib import PurePosixPath
from typing import Any

import msgspec

from windhover.webserver.errors import bad_request, too_large

#: No more of a file is read for a preview.
PREVIEW_BYTES = 2 * 1024 * 1024

_PICTURES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "bmp"})


class PreviewJson(msgspec.Struct, omit_defaults=True):
    """``content`` is a list of rows (LIST), text (TEXT, MARKDOWN) or the Base64 of a picture (IMAGE).

    ``truncated``: the file goes on.
    """

    extension: str
    type: str
    content: Any
    truncated: bool


def preview(name: str, content: bytes, *, complete: bool, rows: int, encoding: str) -> PreviewJson:
    """Show the beginning of a file by the extension of its name.

    Raises:
        ApiError: 400, the encoding is unknown; 413, a picture is too large to be shown.
    """
    extension = PurePosixPath(name).suffix.removeprefix(".").lower()
    if extension in _PICTURES:
        if not complete:
            raise too_large(f"Only pictures of up to {PREVIEW_BYTES} bytes are shown.")
        return PreviewJson(extension, "IMAGE", base64.b64encode(content).decode("ascii"), False)
    text = _decoded(content, encoding)
    if extension == "csv":
        table, more = _csv_rows(text, rows, complete)
        return PreviewJson(extension, "LIST", table, more)
    lines = text.splitlines()
    if not complete and lines:
        del lines[-1]
    truncated = not complete or len(lines) > rows
    if extension in ("jsonl", "ndjson"):
        return PreviewJson(extension, "LIST", [_json_row(line) for line in lines[:rows]], truncated)
    kind = "MARKDOWN" if extension == "md" else "TEXT"
    return PreviewJson(extension, kind, "\n".join(lines[:rows]), truncated)


def _decoded(content: bytes, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
        return content.decode(encoding, "replace").removeprefix("\ufeff")
    except (LookupError, UnicodeError):
        raise bad_request(f"There is no text encoding `{encoding}`.") from None


def _csv_rows(text: str, rows: int, complete: bool) -> tuple[list[dict[str, str]], bool]:
    reader = csv.DictReader(io.StringIO(text))
    found: list[dict[str, str]] = []
    try:
        for row in reader:
            if len(found) > rows:
                break
            found.append({str(key): str(value) for key, value in row.items() if key is not None})
    except csv.Error:
        return found[:rows], True
    if not complete and found and len(found) <= rows:
        del found[-1]
    return found[:rows], not complete or len(found) > rows


def _json_row(line: str) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        return line

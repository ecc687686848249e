"""Under which key the server keeps that a requirement of a Flow trigger was met."""

from __future__ import annotations

from hashlib import blake2b

from pydantic import BaseModel


def definition_digest(part: BaseModel) -> str:
    """A name that says the same after an edit which moves a part of a flow or does not touch it."""
    written = part.model_dump_json(by_alias=True, exclude_none=True)
    return blake2b(written.encode(), digest_size=9).hexdigest()

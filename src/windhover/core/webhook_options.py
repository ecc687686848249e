"""What a webhook asks of its callers besides the key: a signature, one delivery only, a rate."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.model.definition import Definition, NonEmptyText, Text
from windhover.plugin.types import WrittenDuration


class SignatureType(StrEnum):
    """Who signs, and so how."""

    GITHUB = "GITHUB"
    SLACK = "SLACK"
    STRIPE = "STRIPE"
    GENERIC = "GENERIC"


class SignatureAlgorithm(StrEnum):
    """The hash of a generic HMAC."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


class SignatureEncoding(StrEnum):
    """How a generic signature is written."""

    HEX = "HEX"
    BASE64 = "BASE64"


class Signature(Definition):
    """An HMAC over the body, under a secret that only the sender has.

    `GITHUB`, `SLACK` and `STRIPE` are as these services sign. A `GENERIC` signature is in `header`, after
    `prefix`; with a `timestampHeader` the signed text is that header, a full stop, and the body.
    """

    type: Annotated[SignatureType, Field(description="Who signs, and so how.")] = SignatureType.GENERIC
    secret: Annotated[
        NonEmptyText, Field(description="The secret; an expression such as `{{ secret('X') }}`.")
    ]
    tolerance: Annotated[
        WrittenDuration, Field(description="How old, or how far ahead, a signed timestamp may be.")
    ] = timedelta(minutes=5)
    header: Annotated[NonEmptyText, Field(description="The header of a `GENERIC` signature.")] = "X-Signature"
    prefix: Annotated[Text, Field(description="What stands before a `GENERIC` signature.")] = ""
    algorithm: Annotated[SignatureAlgorithm, Field(description="The hash of a `GENERIC` signature.")] = (
        SignatureAlgorithm.SHA256
    )
    encoding: Annotated[SignatureEncoding, Field(description="How a `GENERIC` signature is written.")] = (
        SignatureEncoding.HEX
    )
    timestamp_header: Annotated[
        NonEmptyText | None, Field(description="The header of a timestamp, in seconds, that is signed too.")
    ] = None

    @model_validator(mode="after")
    def _check_generic(self) -> Self:
        generic = {"header", "prefix", "algorithm", "encoding", "timestamp_header"}
        extra = sorted(generic & self.model_fields_set)
        if self.type is not SignatureType.GENERIC and extra:
            names = ", ".join(f"`{Signature.model_fields[name].alias}`" for name in extra)
            raise ValueError(f"{names} can be set for a GENERIC signature only")
        if self.tolerance <= timedelta():
            raise ValueError("`tolerance` must be longer than nothing")
        return self


class RateLimit(Definition):
    """So many requests within an interval, by each web server; more are answered with 429."""

    requests: Annotated[int, Field(ge=1, description="How many requests.")]
    interval: Annotated[WrittenDuration, Field(description="Within which time.")] = timedelta(minutes=1)

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        if self.interval <= timedelta():
            raise ValueError("`interval` must be longer than nothing")
        return self

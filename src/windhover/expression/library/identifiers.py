"""Functions that make identifiers and random numbers."""

from __future__ import annotations

import secrets
import socket
import string
from typing import cast

from windhover.expression.errors import EvaluationError
from windhover.expression.registry import Example, function
from windhover.expression.scope import Frame
from windhover.expression.values import is_integer

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NANO_ALPHABET = "_-" + string.digits + string.ascii_lowercase + string.ascii_uppercase
_MAX_NANO_LENGTH = 1000
_KSUID_EPOCH = 1_400_000_000


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits)).rjust(width, "0")


@function("uuid", "A UUID of version 7, which sorts by time.", Example("{{ uuid() }}"), needs_frame=True)
def uuid(frame: Frame) -> str:
    from uuid import UUID

    milliseconds = int(frame.scope.clock().timestamp() * 1000)
    number = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(UUID(int=number))


@function("id", "A short identifier of 22 letters and digits.", Example("{{ id() }}"))
def id_() -> str:
    return _base62(secrets.randbits(128), 22)


@function(
    "ksuid",
    "An identifier of 27 letters and digits that sorts by time.",
    Example("{{ ksuid() }}"),
    needs_frame=True,
    since="1.0",
)
def ksuid(frame: Frame) -> str:
    seconds = int(frame.scope.clock().timestamp()) - _KSUID_EPOCH
    return _base62((seconds & 0xFFFFFFFF) << 128 | secrets.randbits(128), 27)


@function(
    "nanoId",
    "A random identifier of a length and alphabet.",
    Example("{{ nanoId(length=10) | length }}", "10"),
    since="1.0",
)
def nano_id(length: object = 21, alphabet: object = _NANO_ALPHABET) -> str:
    if not is_integer(length) or not 0 < length <= _MAX_NANO_LENGTH:
        raise EvaluationError(
            f"The 'nanoId' function expects an argument 'length' between 1 and {_MAX_NANO_LENGTH}."
        )
    if not isinstance(alphabet, str) or not alphabet:
        raise EvaluationError("The 'nanoId' function expects a text as argument 'alphabet'.")
    return "".join(secrets.choice(alphabet) for _ in range(length))


@function(
    "randomInt",
    "A random integer from `lower` to, not including, `upper`.",
    Example("{{ randomInt(1, 10) }}"),
    Example("{{ randomInt(7, 7) }}", "7"),
    since="1.0",
)
def random_int(lower: object, upper: object) -> int:
    for name, bound in (("lower", lower), ("upper", upper)):
        if not is_integer(bound):
            raise EvaluationError(f"The 'randomInt()' function expects an argument {name} of type Long.")
    low, high = cast("int", lower), cast("int", upper)
    if high < low:
        raise EvaluationError("In 'randomInt()' function, upper is less than lower.")
    return low + secrets.randbelow(high - low) if high > low else low


@function("randomPort", "A free TCP port of this machine.", Example("{{ randomPort() }}"), since="1.0")
def random_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])

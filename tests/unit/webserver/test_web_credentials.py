"""Passwords as they are kept, and what will do as credentials."""

from __future__ import annotations

import pytest

from windhover.webserver.authentication import credential_problems
from windhover.webserver.passwords import hash_password, verify_password


def test_a_password_is_known_by_its_hash_and_not_readable_in_it() -> None:
    stored = hash_password("Engine1843")
    assert verify_password("Engine1843", stored)
    assert not verify_password("Engine1844", stored)
    assert "Engine1843" not in stored
    assert hash_password("Engine1843") != stored


@pytest.mark.parametrize(
    "stored", ["", "plain", "scrypt$x$8$1$AA==$AA==", "md5$1$1$1$AA==$AA==", "scrypt$3$8$1$AA==$AA=="]
)
def test_a_damaged_hash_lets_nobody_in(stored: str) -> None:
    assert not verify_password("Engine1843", stored)


@pytest.mark.parametrize(
    ("username", "password", "problems"),
    [
        ("ada@example.com", "Engine1843", 0),
        ("ada", "Engine1843", 1),
        ("ada@example", "Engine1843", 1),
        ("ada@example.com", "engine1843", 1),
        ("ada@example.com", "ENGINE1843", 1),
        ("ada@example.com", "Engineeeee", 1),
        ("ada@example.com", "Eng1", 1),
        ("", "", 2),
    ],
)
def test_credentials_are_an_address_and_a_strong_password(
    username: str, password: str, problems: int
) -> None:
    assert len(credential_problems(username, password)) == problems

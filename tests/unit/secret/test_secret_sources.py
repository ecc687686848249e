"""Where a secret comes from, and what is said when it cannot be had."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from windhover.engine.encryption import SecretCipher
from windhover.model.secret import InvalidSecret, SealedSecret, SecretTag
from windhover.secret.chain import SecretChain
from windhover.secret.environment import EnvironmentSecrets
from windhover.secret.port import SecretNotFound, SecretUnreadable
from windhover.secret.stored import NoEncryptionKey, StoredSecrets

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NS = "company.team"
CIPHER = SecretCipher(base64.b64encode(bytes(range(32))).decode())
OTHER_CIPHER = SecretCipher(base64.b64encode(bytes(32)).decode())


class Memory:
    """Encrypted values by namespace and key."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], SealedSecret] = {}

    async def put(
        self,
        tenant_id: str,
        secret: SealedSecret,
        now: datetime,
        *,
        description: str | None = None,
        tags: Sequence[SecretTag] = (),
    ) -> None:
        self.rows[tenant_id, secret.namespace, secret.key] = secret

    async def sealed(self, tenant_id: str, namespaces: Sequence[str], key: str) -> SealedSecret | None:
        found = (self.rows.get((tenant_id, namespace, key)) for namespace in namespaces)
        return next((secret for secret in found if secret is not None), None)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def stored(memory: Memory) -> StoredSecrets:
    return StoredSecrets(memory, "main", CIPHER)


async def test_the_nearest_namespace_counts_then_the_environment(stored: StoredSecrets) -> None:
    environment = EnvironmentSecrets({"SECRET_TOKEN": base64.b64encode(b"from outside\n").decode()})
    chain = SecretChain([stored, environment])
    assert await chain.read(NS, "TOKEN") == "from outside"
    await stored.put("company", "token", "of the company", NOW)
    assert await chain.read(NS, "TOKEN") == "of the company"
    await stored.put(NS, "Token", "of the team", NOW)
    assert await chain.read(NS, "token") == "of the team"
    assert await chain.read("company.other", "TOKEN") == "of the company"
    assert await chain.read("companyx", "TOKEN") == "from outside"
    with pytest.raises(SecretNotFound, match=r"Cannot find secret for key 'NOPE'\."):
        await chain.read(NS, "NOPE")


async def test_only_base64_counts_in_the_environment() -> None:
    secrets = EnvironmentSecrets({"SECRET_A": "czNjcjN0", "SECRET_BAD": "no base64!", "OTHER": "czNjcjN0"})
    assert list(secrets.names()) == ["A"]
    assert secrets.unreadable == ["SECRET_BAD"]
    assert await secrets.find(NS, "a") == "s3cr3t"


async def test_without_a_key_nothing_is_written_or_read(memory: Memory, stored: StoredSecrets) -> None:
    without = StoredSecrets(memory, "main", None)
    with pytest.raises(NoEncryptionKey, match=r"set `kestra\.encryption\.secret-key`"):
        await without.put(NS, "K", "hidden", NOW)
    await stored.put(NS, "K", "hidden", NOW)
    with pytest.raises(SecretUnreadable, match=r"'K' cannot be decrypted.*kestra\.encryption\.secret-key"):
        await without.find(NS, "K")
    assert await without.find(NS, "NONE") is None


async def test_another_key_is_told_and_no_other_place_asked(memory: Memory, stored: StoredSecrets) -> None:
    await stored.put("company", "K", "hidden", NOW)
    environment = EnvironmentSecrets({"SECRET_K": base64.b64encode(b"old").decode()})
    chain = SecretChain([StoredSecrets(memory, "main", OTHER_CIPHER), environment])
    with pytest.raises(SecretUnreadable, match=r"of namespace 'company'.*is not the key") as caught:
        await chain.read(NS, "K")
    assert "hidden" not in str(caught.value)


async def test_a_value_moved_to_another_row_does_not_open(memory: Memory, stored: StoredSecrets) -> None:
    """Who may write to the database must not get at a secret by giving it to a namespace of his own."""
    await stored.put("company", "K", "hidden", NOW)
    sealed = memory.rows["main", "company", "K"].sealed
    for tenant, namespace, key in (("main", "x", "K"), ("main", "company", "L"), ("other", "company", "K")):
        memory.rows[tenant, namespace, key] = SealedSecret(namespace, key, sealed)
        with pytest.raises(SecretUnreadable):
            await StoredSecrets(memory, tenant, CIPHER).find(namespace, key)


async def test_values_of_all_kinds_come_back_and_none_is_kept_readable(
    memory: Memory, stored: StoredSecrets
) -> None:
    for value in (" spaces \n", "pässwörd \N{KEY}", "a\0b", "x" * 65536):
        await stored.put(NS, "K", value, NOW)
        assert await stored.find(NS, "K") == value
        assert value not in memory.rows["main", NS, "K"].sealed


@pytest.mark.parametrize(
    ("namespace", "key", "value", "paths"),
    [
        (NS, "", "v", ["key"]),
        (NS, ".a", "v", ["key"]),
        (NS, "a/b", "v", ["key"]),
        (NS, "a b", "v", ["key"]),
        (NS, "a\n", "v", ["key"]),
        (NS, "x" * 257, "v", ["key"]),
        ("Company", "K", "v", ["namespace"]),
        ("a/b", "K", "v", ["namespace"]),
        ("x" * 151, "K", "v", ["namespace"]),
        (NS, "K", "", ["value"]),
        (NS, "K", "ä" * 32769, ["value"]),
        (NS, "K", "\ud800", ["value"]),
        ("", "é", "", ["namespace", "key", "value"]),
    ],
)
async def test_what_breaks_the_rules_is_told_at_once(
    stored: StoredSecrets, namespace: str, key: str, value: str, paths: list[str]
) -> None:
    with pytest.raises(InvalidSecret) as caught:
        await stored.put(namespace, key, value, NOW)
    assert [path for path, _ in caught.value.problems] == paths


@pytest.mark.parametrize(
    ("description", "tags"),
    [
        ("x" * 10_001, []),
        (None, [SecretTag("", "v")]),
        (None, [SecretTag("a", "1"), SecretTag("a", "2")]),
        (None, [SecretTag("a", "x" * 257)]),
        (None, [SecretTag(str(n), "") for n in range(51)]),
    ],
)
async def test_descriptions_and_tags_have_their_limits(
    stored: StoredSecrets, memory: Memory, description: str | None, tags: list[SecretTag]
) -> None:
    with pytest.raises(InvalidSecret):
        await stored.put(NS, "K", "v", NOW, description=description, tags=tags)
    assert memory.rows == {}

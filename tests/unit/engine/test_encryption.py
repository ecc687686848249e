"""Secrets at rest: what one key wrote, that key alone reads."""

import base64

import pytest

from windhover.engine.encryption import ENCRYPTED_TYPE, EncryptionError, SecretCipher, is_encrypted

KEY = base64.b64encode(bytes(range(32))).decode()


def test_a_secret_comes_back_and_is_never_written_alike() -> None:
    cipher = SecretCipher(KEY)
    first, second = cipher.encrypt("pässwörd"), cipher.encrypt("pässwörd")
    assert first != second
    assert first["type"] == ENCRYPTED_TYPE
    assert cipher.decrypt(first) == cipher.decrypt(second) == "pässwörd"


def test_the_stored_form_is_nonce_ciphertext_and_tag() -> None:
    stored = {"value": "AAECAwQFBgcICQoLfv5QnCKLMwSihgnNvt7DcWKd9w==", "type": ENCRYPTED_TYPE}
    sealed = base64.b64decode(SecretCipher(KEY).encrypt("abc")["value"])
    assert len(sealed) == 12 + 3 + 16
    with pytest.raises(EncryptionError):
        SecretCipher(KEY).decrypt(stored)


def test_an_empty_value_is_an_empty_secret() -> None:
    assert SecretCipher(KEY).decrypt({"value": "", "type": ENCRYPTED_TYPE}) == ""


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_of_all_aes_sizes_are_taken(size: int) -> None:
    cipher = SecretCipher(base64.b64encode(bytes(size)).decode())
    assert cipher.decrypt(cipher.encrypt("x")) == "x"


@pytest.mark.parametrize(
    ("key", "reason"), [("not base64!", "is not Base64"), ("AAAA", "holds 3 bytes"), ("", "holds 0 bytes")]
)
def test_a_bad_key_is_refused_with_the_reason(key: str, reason: str) -> None:
    with pytest.raises(EncryptionError, match=reason):
        SecretCipher(key)


def test_another_key_or_a_damaged_value_is_told() -> None:
    stored = SecretCipher(KEY).encrypt("x")
    with pytest.raises(EncryptionError, match="another key"):
        SecretCipher(base64.b64encode(bytes(32)).decode()).decrypt(stored)
    for value in ("AAAA", "%%%", None):
        with pytest.raises(EncryptionError):
            SecretCipher(KEY).decrypt({"value": value, "type": ENCRYPTED_TYPE})
    with pytest.raises(EncryptionError):
        SecretCipher(KEY).decrypt({"value": stored["value"]})


def test_only_marked_maps_count_as_encrypted() -> None:
    assert is_encrypted({"value": "x", "type": ENCRYPTED_TYPE})
    assert not is_encrypted({"value": "x", "type": "text"})
    assert not is_encrypted("x")

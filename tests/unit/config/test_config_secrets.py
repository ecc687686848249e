"""Passwords and keys are in no text that anyone prints."""

from collections.abc import Callable

import pytest

from windhover.config import ConfigurationError, Settings, load

Loader = Callable[..., Settings]

SECRETS = {
    "kestra.server.basic-auth.password": "S3cretOne",
    "datasources.postgres.url": "jdbc:postgresql://kestra:S3cretTwo@db/kestra?sslpassword=S3cretTwo",
    "datasources.postgres.password": "S3cretThree",
    "kestra.encryption.secret-key": "S3cretFourAAAAAAAAAAAA==",
    "kestra.storage.s3": {"access-key": "S3cretFive", "secret-key": "S3cretSix"},
    "kestra.secret.vault": {"token": {"token": "S3cretSeven"}, "address": "http://u:S3cretVault@vault:8200"},
    "kestra.ai.providers": [{"id": "g", "configuration": {"api-key": "S3cretEight"}}],
    "kestra.plugins.defaults": [{"type": "x", "values": {"password": "S3cretNine"}}],
    "kestra.variables.globals": {"api_key": "S3cretTen", "region": "eu-west-1"},
    "kestra.ee.license": {"id": "visible", "fingerprint": "S3cretPrint", "key": "S3cretKey"},
    "tasks.sdk.authentication.token": "S3cretEleven",
    "kestra.repository.type": "postgres",
}


def test_no_text_of_the_settings_shows_a_secret() -> None:
    settings = load([], {}, SECRETS)

    texts = [repr(settings), str(settings), repr(settings.raw), str(settings.masked())]
    texts += [
        repr(settings.database),
        str(settings.datasources),
        str(settings.warnings),
        str(settings.plugins),
    ]
    for text in texts:
        assert "S3cret" not in text
    assert "eu-west-1" in repr(settings.raw)
    assert "visible" in repr(settings.raw)


def test_secrets_are_there_for_those_who_need_them() -> None:
    settings = load([], {}, SECRETS)

    assert settings.raw_section("kestra.storage.s3")["secret-key"] == "S3cretSix"
    assert "S3cretThree" in settings.database.url()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kestra.server.basic-auth.password", ["S3cret"]),
        ("datasources.postgres.url", "oracle://u:S3cret@h/db"),
        ("datasources.postgres.url", "jdbc:postgresql:S3cret"),
        ("kestra.encryption.secret-key", {"value": "S3cret"}),
    ],
)
def test_no_problem_quotes_a_secret(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load([], {}, {key: value})

    assert [problem.key for problem in caught.value.problems] == [key]
    assert "S3cret" not in str(caught.value)


def test_settings_do_not_change(load_yaml: Loader) -> None:
    settings = load_yaml()

    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1

"""Keep passwords and keys out of everything that prints."""

import re
from collections.abc import Iterator, Mapping

from windhover.config.vocabulary import fold

MASK = "**********"

_SECRET_NAME = re.compile(
    r"password|passphrase|passwd|secret|token$|apikey|accesskey|privatekey|credential|connectionstring"
    r"|serviceaccount$|proxyauthorization|fingerprint|license\.key$|encryption\.key$"
)
_NOT_SECRET = re.compile(r"passwordregexp$|secretname$|secretsname$")
_USER_INFO = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")
_QUERY_PASSWORD = re.compile(r"([?&;](?:password|pwd|sslpassword|token|sig)=)[^&;\s]*", re.IGNORECASE)


def is_secret(path: str) -> bool:
    """Whether the value at a dotted key path is not to be shown."""
    parts = [fold(part) for part in path.split(".")]
    name = ".".join(parts[-2:]) if parts[-1] == "key" else parts[-1]
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)


def mask_credentials(text: str) -> str:
    """``text`` without the passwords that URLs in it carry."""
    return _QUERY_PASSWORD.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))


def masked(value: object, path: str = "") -> object:
    """A copy of plain configuration values in which secrets read ``**********``."""
    if isinstance(value, Mapping):
        return {key: masked(child, f"{path}.{key}" if path else str(key)) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, path) for item in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if is_secret(path):
        return MASK
    return mask_credentials(value) if isinstance(value, str) else value


class RawConfiguration(Mapping[str, object]):
    """The merged configuration as plain values under canonical (kebab-case) keys; its text is masked."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def masked(self) -> dict[str, object]:
        """The values with every secret replaced, fit to be printed."""
        return {key: masked(value, key) for key, value in self._values.items()}

    def __repr__(self) -> str:
        return f"RawConfiguration({self.masked()!r})"

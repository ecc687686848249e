"""Functions that fetch data from the server: secrets, stored values, files, HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.expression.errors import EvaluationError
from windhover.expression.library.structured import parse_json
from windhover.expression.library.workflow import variable
from windhover.expression.registry import Example, function
from windhover.expression.scope import Frame
from windhover.expression.values import MASK, is_integer, is_map, to_string, to_text


def _required_text(function_name: str, argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise EvaluationError(
            f"The '{function_name}' function expects an argument '{argument}' with type string."
        )
    return value


def _optional_text(function_name: str, argument: str, value: object) -> str | None:
    return None if value is None else _required_text(function_name, argument, value)


@function(
    "secret",
    "A secret; logs mask it from then on. `subkey` picks a member of a secret that is JSON, "
    "`full` gives it whole.",
    Example("{{ secret('API_KEY') }}"),
    Example("{{ secret('api', subkey='TOKEN') }}"),
    needs_frame=True,
    reads=(("flow", "namespace"),),
)
def secret(
    frame: Frame, key: object, namespace: object = None, subkey: object = None, full: object = False
) -> object:
    name = _required_text("secret", "key", key).upper()
    if subkey is not None and full is True:
        raise EvaluationError("The 'secret' function takes either 'subkey' or 'full', not both.")
    value = frame.port("secret").secret(name, _optional_text("secret", "namespace", namespace))
    secrets = frame.scope.secrets
    secrets.add(str(value))
    masked = frame.scope.mask_secrets
    if subkey is None and full is not True:
        return MASK if masked else str(value)
    try:
        members = parse_json(value)
    except (ValueError, RecursionError):
        members = None
    if not is_map(members):
        raise EvaluationError(f"The secret '{name}' has no members: it is not a JSON object.")
    secrets.update(to_text(member) for member in members.values() if to_text(member))
    if full is True:
        return dict.fromkeys(members, MASK) if masked else members
    if subkey not in members:
        raise EvaluationError(f"Cannot find secret sub-key '{to_string(subkey)}' in secret '{name}'.")
    member = MASK if masked else members[subkey]
    return member if isinstance(member, str) else to_text(member)


@function(
    "credential",
    "A short-lived access token of a managed credential; logs mask it.",
    Example("{{ credential('my_oauth') }}"),
    needs_frame=True,
)
def credential(frame: Frame, key: object) -> str:
    token = frame.port("credential").credential(_required_text("credential", "key", key))
    frame.scope.secrets.add(token)
    return MASK if frame.scope.mask_secrets else token


@function(
    "kv",
    "The value of a key of the key-value store: of the flow's namespace or its parents, unless "
    "`namespace` is given. A key that does not exist is an error, or null without `errorOnMissing`.",
    Example("{{ kv('MY_KEY') }}"),
    Example("{{ kv('MY_KEY', errorOnMissing=false) ?? 'none' }}"),
    needs_frame=True,
    reads=(("flow", "namespace"),),
)
def kv(frame: Frame, key: object, namespace: object = None, error_on_missing: object = True) -> object:
    name = _required_text("kv", "key", key)
    where = _optional_text("kv", "namespace", namespace)
    try:
        return frame.port("kv").kv(name, where)
    except KeyError:
        if error_on_missing is False:
            return None
        shown = where if where is not None else to_string(variable(frame, "flow", "namespace"))
        raise EvaluationError(f"The key '{name}' does not exist in the namespace '{shown}'.") from None


def _version(function_name: str, value: object) -> int | None:
    if value is not None and not is_integer(value):
        raise EvaluationError(f"The '{function_name}' function expects an integer as argument 'version'.")
    return value


@function(
    "read",
    "The content of a file: a storage URI, or the path of a namespace file.",
    Example("{{ read(outputs.download.uri) }}"),
    Example("{{ read('subdir/file.txt') }}"),
    needs_frame=True,
    reads=(("flow",), ("execution",), ("trigger",)),
)
def read(frame: Frame, path: object, namespace: object = None, version: object = None) -> str:
    text = frame.port("read").read(
        _required_text("read", "path", path),
        _optional_text("read", "namespace", namespace),
        _version("read", version),
    )
    frame.budget.check_size(len(text))
    return text


@function(
    "fileURI",
    "The storage URI of a namespace file.",
    Example("{{ fileURI('a.txt') }}", "kestra:///my/team/_files/a.txt", {"flow": {"namespace": "my.team"}}),
    needs_frame=True,
    reads=(("flow",),),
)
def file_uri(frame: Frame, path: object, namespace: object = None, version: object = None) -> str:
    name = _required_text("fileURI", "path", path)
    where = _optional_text("fileURI", "namespace", namespace)
    number = _version("fileURI", version)
    # The flow is a variable as any other: a template may have set it to something else.
    own = where or variable(frame, "flow", "namespace")
    if frame.scope.port is not None:
        return frame.scope.port.file_uri(name, own if isinstance(own, str) else None, number)
    if ".." in name.split("/"):
        raise EvaluationError(f"The path '{name}' may not lead out of the namespace.")
    return f"kestra:///{to_string(own).replace('.', '/')}/_files/{name.lstrip('/')}"


@function(
    "fileSize",
    "The size of a file in bytes.",
    Example("{{ fileSize(outputs.download.uri) }}"),
    needs_frame=True,
    reads=(("flow",), ("execution",), ("trigger",)),
)
def file_size(frame: Frame, path: object, namespace: object = None) -> int:
    return frame.port("fileSize").file_size(
        _required_text("fileSize", "path", path), _optional_text("fileSize", "namespace", namespace)
    )


@function(
    "fileExists",
    "Whether a file exists.",
    Example("{{ fileExists('config.yml') }}"),
    needs_frame=True,
    reads=(("flow",), ("execution",), ("trigger",)),
)
def file_exists(frame: Frame, path: object, namespace: object = None) -> bool:
    return frame.port("fileExists").file_exists(
        _required_text("fileExists", "path", path), _optional_text("fileExists", "namespace", namespace)
    )


@function(
    "isFileEmpty",
    "Whether a file has no content.",
    Example("{{ isFileEmpty(outputs.download.uri) }}"),
    needs_frame=True,
    reads=(("flow",), ("execution",), ("trigger",)),
)
def is_file_empty(frame: Frame, path: object, namespace: object = None) -> bool:
    return frame.port("isFileEmpty").is_file_empty(
        _required_text("isFileEmpty", "path", path), _optional_text("isFileEmpty", "namespace", namespace)
    )


def _mapping(argument: str, value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not is_map(value):
        raise EvaluationError(f"The 'http' function expects an argument '{argument}' with type map.")
    return {to_string(key): item for key, item in value.items()}


@function(
    "http",
    "The body of the answer to an HTTP request, parsed if it is JSON.",
    Example("{{ http(uri='https://example.com/products') | jq('.[].name') }}"),
    needs_frame=True,
    since="1.0",
)
def http(
    frame: Frame,
    uri: object,
    method: object = "GET",
    query: object = None,
    body: object = None,
    content_type: object = "application/json",
    headers: object = None,
    options: object = None,
    accept: object = "application/json",
) -> object:
    return frame.port("http").http(
        _required_text("http", "uri", uri),
        _required_text("http", "method", method).upper(),
        _mapping("query", query),
        body,
        _required_text("http", "contentType", content_type),
        _mapping("headers", headers),
        _mapping("options", options),
        _required_text("http", "accept", accept),
    )


@function(
    "encrypt",
    "A text encrypted with AES-GCM; the key is 16, 24 or 32 bytes, in Base64.",
    Example("{{ decrypt(k, encrypt(k, 'toto')) }}", "toto", {"k": "I6EGNzRESu3X3pKZidrqCGOHQFUFC0yK"}),
)
def encrypt(key: object, plaintext: object) -> str | None:
    from windhover.expression.encryption import encrypt_text

    if plaintext is None:
        return None
    return encrypt_text(
        _required_text("encrypt", "key", key), _required_text("encrypt", "plaintext", plaintext)
    )


@function(
    "decrypt",
    "The text that `encrypt` has encrypted with the same key; logs mask it.",
    Example("{{ decrypt(secret('KEY'), outputs.encrypted.value) }}"),
    needs_frame=True,
)
def decrypt(frame: Frame, key: object, encrypted: object) -> str | None:
    from windhover.expression.encryption import decrypt_text

    if encrypted is None:
        return None
    text = decrypt_text(
        _required_text("decrypt", "key", key), _required_text("decrypt", "encrypted", encrypted)
    )
    if text:
        frame.scope.secrets.add(text)
    return MASK if frame.scope.mask_secrets else text


@function(
    "assets",
    "The assets of a type, of a namespace or with given metadata.",
    Example('{{ assets(metadata={"layer": "mart"}) | jq(".[].id") }}'),
    needs_frame=True,
)
def assets(
    frame: Frame, type_: object = None, namespace: object = None, metadata: object = None
) -> list[object]:
    if metadata is not None and not is_map(metadata):
        raise EvaluationError("The 'assets' function expects an argument 'metadata' with type map.")
    return list(
        frame.port("assets").assets(
            _optional_text("assets", "type", type_),
            _optional_text("assets", "namespace", namespace),
            None if metadata is None else {to_string(key): value for key, value in metadata.items()},
        )
    )


@function(
    "appLink",
    "The address of an app.",
    Example("{{ appLink(appId='com.example.my-app') }}"),
    needs_frame=True,
    reads=(("execution", "id"),),
)
def app_link(frame: Frame, app_id: object = None, base_url: object = False) -> str:
    return frame.port("appLink").app_link(_optional_text("appLink", "appId", app_id), base_url is True)

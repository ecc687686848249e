"""``io.kestra.plugin.nats.kv.Get``"""

from __future__ import annotations

import msgspec
from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_nats.kv.bucket import NatsBucket


class GetOutput(Output):
    """What a Get task gives."""

    output: dict[str, JsonValue] = Field(
        description="The values by key; keys that are not there are left out."
    )


class Get(NatsBucket, RunnableTask[GetOutput]):
    """Read values of a key-value bucket. A JSON object or list is read as such, anything else as text."""

    type_name = "io.kestra.plugin.nats.kv.Get"
    examples = (
        Example(
            title="Read two values, one as it was first written.",
            code="""
url: nats://localhost:4222
bucketName: settings
keys:
  - greeting
keyRevisions:
  limits: 1
""",
        ),
    )

    keys: list[str] = Field([], description="Keys, for their last values.")
    key_revisions: dict[str, int] | list[dict[str, int]] = Field(
        {}, description="Keys with the numbers of their values in the bucket."
    )

    async def run(self, ctx: RunContext) -> GetOutput:
        from nats.js.errors import KeyNotFoundError

        wanted: list[tuple[str, int | None]] = [(key, None) for key in self.keys]
        for revisions in [self.key_revisions] if isinstance(self.key_revisions, dict) else self.key_revisions:
            wanted += revisions.items()
        found: dict[str, JsonValue] = {}
        async with self.bucket() as bucket:
            for key, revision in wanted:
                try:
                    entry = await bucket.get(key, revision)
                except KeyNotFoundError:  # deleted ones as well
                    ctx.logger.debug(f"There is no `{key}` in `{self.bucket_name}`")
                else:
                    found[key] = _value(entry.value or b"")
        return GetOutput(output=found)


def _value(stored: bytes) -> JsonValue:
    text = stored.decode(errors="replace")
    if text.startswith(("{", "[")):
        try:
            value: JsonValue = msgspec.json.decode(stored)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return text
        return value
    return text

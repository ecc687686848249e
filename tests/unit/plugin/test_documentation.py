"""The examples of docs/plugins.md do what the page says."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from windhover.plugin.flowable import Body
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry
from windhover.worker.inline import InlineWorker

PAGE = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    """All Python of the page, executed from top to bottom."""
    module = ModuleType("acme_mail_documentation")
    sys.modules[module.__name__] = module
    for block in blocks("python"):
        exec(compile(block, "docs/plugins.md", "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def types(page: ModuleType) -> dict[str, Any]:
    return vars(page)


def test_the_flow_on_the_page_is_valid(types: dict[str, Any]) -> None:
    registry = Registry(discover=False)
    registry.register(types["Greet"])
    (source,) = blocks("yaml")

    parsed = parse_flow(source, registry)

    assert parsed.flow.tasks[0].type == "com.acme.mail.Greet"


def test_functions_on_the_page_run(types: dict[str, Any], tmp_path: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        async with InlineWorker(tmp_path) as worker:
            shouted = await worker.run(types["shout"], {"text": "hi", "times": "2"})
            waited = await worker.run(types["wait"], {"duration": "PT0.01S"})
            return [shouted.outputs, waited.outputs]

    assert asyncio.run(run()) == [{"value": "HI! HI! "}, {"seconds": 0.01}]


def test_the_flow_control_task_on_the_page_makes_a_body(types: dict[str, Any]) -> None:
    twice = types["Twice"](id="t", type="com.acme.mail.Twice", tasks=())

    body = twice.body(["first", "second"])

    assert isinstance(body, Body)
    assert [lane.value for lane in body.lanes] == ["first", "second"]

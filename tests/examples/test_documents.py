"""The documentation says nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from windhover.cli.validate import validate_files
from windhover.model.definition import property_names
from windhover.model.flow import Flow
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "plugins").glob("*/README.md")]
)
FLOW_CONTROL = ROOT / "examples" / "flow-control"

_YAML = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.M | re.S)
_HEAD = "id: shown\nnamespace: company.team\n"
_TASKS = "tasks:\n  - {id: hello, type: io.kestra.plugin.core.log.Log, message: hello}\n"

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(document: Path) -> set[str]:
    """The names by which the headings of a document can be linked to."""
    text = _FENCE.sub("", document.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", document.read_text())):
        target, _, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert not {page for page in pages if f"({page}" not in index}


@pytest.mark.parametrize("example", sorted(FLOW_CONTROL.glob("*.yaml")), ids=lambda path: path.name)
def test_flow_control_shows_the_examples_as_they_are(example: Path) -> None:
    text = (ROOT / "docs" / "flow-control.md").read_text()
    shown = re.search(rf"^\[`{example.name}`\].*?^```yaml\n(.*?)^```", text, re.M | re.S)
    assert shown is not None
    assert yaml.safe_load(shown[1]) == yaml.safe_load(example.read_text())


def test_the_mistake_of_the_readme_is_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = re.search(r"^(mistake\.yaml:\d+:\d+: .*)$", (ROOT / "README.md").read_text(), re.M)
    orders = (ROOT / "examples" / "orders.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    mistake = Path("mistake.yaml")
    mistake.write_text(orders.replace("concurrencyLimit", "concurencyLimit"))

    assert validate_files([mistake]) == 1

    assert shown is not None
    assert shown[1] in capsys.readouterr().out


#: Its flows are made of plugins that readers are about to write.
_OF_AUTHORS = ROOT / "docs" / "plugins.md"


def flows_shown(document: Path) -> Iterator[str]:
    """The flows in a document; parts of one are completed, and what is no flow is left out."""
    for indent, block in _YAML.findall(document.read_text()):
        shown = dedent(block) if indent else block
        if shown.lstrip().startswith("- "):
            shown = f"tasks:\n{shown}"
        if shown.startswith(" "):
            continue  # properties of what the text is about
        found = yaml.safe_load(shown)
        if not found.keys() <= property_names(Flow):
            continue
        yield ("" if "id" in found else _HEAD) + shown + ("" if "tasks" in found else _TASKS)


@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path != _OF_AUTHORS],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_flows_that_are_shown_can_be_saved(document: Path) -> None:
    for source in flows_shown(document):
        parse_flow(source, shared_registry())


def test_flows_are_found_in_the_documents() -> None:
    assert sum(1 for document in DOCUMENTS for _ in flows_shown(document)) > 40

"""The documentation says nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from windhover.cli.validate import validate_files

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "plugins").glob("*/README.md")]
)
FLOW_CONTROL = ROOT / "examples" / "flow-control"

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

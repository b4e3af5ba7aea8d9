"""The pages of presets and of conformance say what the data says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("bs4", reason="the pages are made with the oracles")
pytest.importorskip("pygments", reason="the pages are made with the oracles")

from benchmarks.conformance import agreement_rows, explanations, introduction, preset_page
from filters import load_preset, preset_names
from tests.conformance.agreement import Agreement

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_presets_is_up_to_date():
    page = (DOCS / "presets.md").read_text(encoding="utf-8")
    assert page == preset_page(), "run: python benchmarks/conformance.py --presets-page"


@pytest.mark.parametrize("preset", preset_names())
def test_the_page_names_every_rule_with_its_value(preset):
    page = (
        (DOCS / "presets.md").read_text(encoding="utf-8").partition(f"## {preset}\n")[2].partition("\n## ")[0]
    )
    for rule in load_preset(preset).rules:
        assert f"| `{rule.name}` | `{rule}` | {rule.status} |" in page


def test_a_preset_s_comment_is_its_introduction():
    assert introduction("codex").startswith("The filter of Codex: Chen et al.")
    assert "rules:" not in introduction("codex")


def test_a_rule_that_differs_is_counted_and_explained():
    found = Agreement("comments", 10, 3, 2, 1, ("a.py", "b.py"), ("c.py",))
    assert list(agreement_rows("opencoder", [found])) == [("`comments`", 10, 3, 2, "70.00 %", "2 / 1")]
    (line,) = explanations("opencoder", [found])
    assert line.startswith("- `comments`: The product's lexer measures")
    assert line.endswith("Examples: `a.py`, `b.py`.")


def test_a_difference_without_a_reason_is_not_hidden():
    found = Agreement("xml", 10, 1, 0, 0, ("a.py",), ())
    assert list(explanations("codeparrot", [found])) == ["- `xml`: Not explained. Examples: `a.py`."]


def test_the_page_of_conformance_has_no_unexplained_difference():
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    assert "Not explained" not in page

from __future__ import annotations

import io

import orjson
import pytest
from rich.console import Console

from columns.errors import OutputError
from columns.files import Place
from pipelines import story, summary
from pipelines.wording import counted, drops_when, measured, plain, share, size
from tests.pipelines.made_dataset import RULES, Source, make_dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("dataset"))


def shown(found: dict, width: int = 80) -> str:
    out = io.StringIO()
    summary.render(found, Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


def test_totals_add_up(place):
    found = summary.summarise(place)
    assert found["files"] == {"read": 29, "kept": 14}
    assert (
        found["files"]["read"] - sum(step["removed_files"] for step in found["funnel"])
        == found["files"]["kept"]
    )
    assert (
        found["bytes"]["read"] - sum(step["removed_bytes"] for step in found["funnel"])
        == found["bytes"]["kept"]
    )
    assert found["shards"]["count"] == 2
    assert found["problems"] == {"binary": 1, "unreadable": 1}


def test_is_plain_json(place):
    found = summary.summarise(place)
    assert orjson.loads(orjson.dumps(found)) == found


def test_eighty_columns_cut_nothing(place):
    text = shown(summary.summarise(place))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for said in ("Files read", "Benchmark contamination", *(rule["name"] for rule in RULES), "22.2%", "1,368 written",
                 "14 of 29 files", "binary: 1 file", "humaneval; 1 file holds a task"):  # fmt: skip
        assert said in text, said


def test_large_figures_fit(place):
    found = summary.summarise(place)
    for step in found["funnel"]:
        step |= {"files": 193_456_789, "bytes": 3_100_000_000_000, "removed_files": 12_345_678}
    text = shown(found)
    assert max(map(len, text.splitlines())) <= 80
    assert "193,456,789" in text
    assert "−12,345,678" in text


@pytest.mark.parametrize("sources", [[], [Source("a.py", "x = 1\n")], [Source("b", None, problem="binary")]])
def test_small_datasets(tmp_path, sources):
    made = make_dataset(tmp_path, sources)
    assert f"of {counted(len(sources), 'file')}" in shown(summary.summarise(made))


def test_example_file_can_be_explained(place):
    assert not story.tell(place, summary.example_file(place)).kept


def test_example_file_of_an_empty_dataset(tmp_path):
    assert summary.example_file(make_dataset(tmp_path, [])) == ""


def test_not_a_dataset(tmp_path):
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        summary.summarise(Place(str(tmp_path / "nothing")))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (size(999_600), "1 MB"), (size(12_345), "12.3 kB"), (share(0, 0), "0%"), (share(5, 5), "100%"),
        (measured(5_000_000.5), "5,000,000"), (measured(0.5), "0.5"), (counted(0, "file"), "0 files"),
        (drops_when("ge", 1_000_000), "≥ 1,000,000"), (drops_when("lt", 0.25), "< 0.25"),
        (plain("a\r\nb", lines=True), "a\nb"),
    ],
)  # fmt: skip
def test_wording(said, expected):
    assert said == expected

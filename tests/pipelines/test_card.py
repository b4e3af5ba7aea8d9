"""The dataset card: what it says, that untrusted names do no harm in it, and that a self-test gets there and stays."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from columns.files import Place
from contamination import ContaminationConfig
from contamination.estimate import SelfTest, false_positives, recalls
from pipelines import selftest as testing
from pipelines.card import CARD, DATA, escaped, facts, limits, render, transforms, write_card
from pipelines.finished import Finished
from pipelines.manifest import selftest_account
from pipelines.publish import add_selftest
from tests.pipelines.building import build
from tests.pipelines.corpus import corpus, leak, write_tree
from tests.pipelines.made_dataset import Source, make_dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return make_dataset(
        tmp_path_factory.mktemp("card"), [Source("a.py", "x = 1\n"), Source("b.py", "y = 2\n")]
    )


def changed(place: Place, folder, **sections) -> Finished:
    """The dataset with other sections in its manifest."""
    manifest = orjson.loads(place.read("manifest.json")) | sections
    other = Place(str(folder))
    other.write_bytes("manifest.json", orjson.dumps(manifest))
    return Finished.open(other)


def test_the_card_names_steps_languages_and_suites(place):
    text = render(Finished.open(place))
    assert text.startswith("---\nsize_categories: [n<1K]\n")
    for said in ("# codex", "| Files read |", "| python |", "humaneval", "| dropped |", "Known limits"):
        assert said in text
    assert "not measured (`thresher contamination selftest`)" in text
    assert "\n\n\n" not in text


def test_every_table_has_as_many_cells_in_every_row(place):
    widths: dict[int, set[int]] = {}
    table = 0
    for line in render(Finished.open(place)).splitlines():
        if line.startswith("|"):
            widths.setdefault(table, set()).add(line.replace("\\|", "").count("|"))
        else:
            table += 1
    assert widths
    assert all(len(found) == 1 for found in widths.values())


def test_untrusted_names_are_escaped(place, tmp_path):
    tokens = {"documents": 1, "written": 5, "by_language": {"a|b*\x1b[31m": 5}}
    text = render(changed(place, tmp_path, tokens=tokens))
    assert "a\\|b\\*␛\\[31m" in text
    assert "\x1b" not in text


def test_without_suites_it_warns(place, tmp_path):
    text = render(changed(place, tmp_path, contamination={"suites": {}, "files": 0, "tasks": {}}))
    assert "Not checked: benchmark scores" in text


@pytest.mark.parametrize(
    ("files", "said"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**9, "n>10M")]
)
def test_sizes(place, tmp_path, files, said):
    text = render(changed(place, tmp_path, tokens={"documents": files, "by_language": {}}))
    assert f"size_categories: [{said}]" in text


def test_markdown_is_escaped():
    assert escaped("`#<b>_[x]|") == "\\`\\#\\<b\\>\\_\\[x\\]\\|"


def a_selftest() -> SelfTest:
    import pyarrow as pa

    copies = pa.RecordBatch.from_pydict(
        {
            "suite": ["humaneval"] * 4,
            "task": ["1", "2", "3", "4"],
            "level": ["verbatim"] * 2 + ["renamed"] * 2,
        }
    )
    found = {"thresher": np.array([True, True, True, False]), "decon": np.array([True, False, False, False])}
    flagged = {"thresher": np.arange(1000) < 1, "decon": np.arange(1000) < 3}
    return SelfTest(7, {"humaneval": "ef" * 32}, recalls(copies, found), false_positives(flagged))


def test_the_account_is_of_the_rule_that_decides():
    account = selftest_account(a_selftest().record() | {"rule": "thresher"})
    rows = {(row["suite"], row["level"]): (row["hits"], row["n"]) for row in account["recall"]}
    assert rows == {("humaneval", "verbatim"): (2, 2), ("humaneval", "renamed"): (1, 2)}
    assert account["false_positives"]["per_100k"][0] == pytest.approx(100)
    assert selftest_account(None) == {}


def test_a_selftest_is_in_the_card(place, tmp_path):
    section = dict(Finished.open(place).section("contamination"))
    section["selftest"] = selftest_account(a_selftest().record() | {"rule": "thresher"})
    text = render(changed(place, tmp_path, contamination=section))
    assert "| humaneval | 100% |" in text
    assert " 50.0% |" in text
    assert "100.0 per 100,000 (95 %: 17.7 to 564.3)" in text


def test_writing_is_repeatable(place):
    write_card(place)
    first = place.read(CARD)
    write_card(place)
    assert place.read(CARD) == first


TEXT = """
extends: codex
name: small
layout: {parts: 2}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536}
"""


def test_a_builds_card_holds_its_selftest_until_something_changes(tmp_path):
    tree = write_tree(tmp_path / "tree", dict(list(corpus().items())[:12]) | {"leak.py": leak("HumanEval/4")})
    out = build(tmp_path, tmp_path / "out", [tree], text=TEXT)
    assert "not measured" in out.read(CARD).decode()
    assert not add_selftest(out, ContaminationConfig())
    levels = ("verbatim", "embedded")
    asked = testing.Asked(rules=("thresher",), levels=levels, files=0)
    from rich.console import Console

    from pipelines.progress import Display

    tested = testing.selftest(Finished.open(out), asked, Display(Console(), quiet=True))
    testing.write(out, testing.record_of(out, tested))
    assert add_selftest(out, ContaminationConfig())
    with_test = {name: out.read(name) for name in ("manifest.json", "report.html", CARD)}
    assert "planted into files of this corpus" in with_test[CARD].decode()
    assert b"Self-test" in with_test["report.html"]
    build(tmp_path, out.url, [tree], text=TEXT)
    assert {name: out.read(name) for name in with_test} == with_test
    build(tmp_path, out.url, [tree], text=TEXT + "contamination: {action: report, common: {files: 9}}\n")
    assert "not measured" in out.read(CARD).decode()


TOLD = """
extends: codex
name: told
dedup: {near: false}
layout: {parts: 2}
privacy: {find: true, redact: [email]}
licenses: {detect: true}
tokenizer: {vocab_size: 600, special_tokens: [<fim_prefix>, <fim_middle>, <fim_suffix>]}
transforms: {infill: {rate: 0.9}, prefix: {path: 1.0}}
pack: {seq_len: 1024, shard_tokens: 65536, tail: drop}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("told")
    header = "# SPDX-License-Identifier: MIT\n# ask alice@corp.de\n"
    files = {
        f"a{n}.py": (header if n < 4 else "") + text for n, text in enumerate(list(corpus().values())[:9])
    }
    return build(folder, folder / "out", [write_tree(folder / "tree", files)], text=TOLD)


def test_the_card_tells_transforms_and_packing_with_their_counts(told):
    manifest = orjson.loads(told.read("manifest.json"))
    text, tokens = told.read(CARD).decode(), manifest["tokens"]
    assert "Rows of 1,024 tokens. Documents are packed one behind the other" in text
    assert f"{tokens['dropped']['shard_tail']:,} were dropped (`shard_tail`)" in text
    assert f"{tokens['split_documents']:,} documents lie in more than one row" in text
    assert (
        "| infill | layout: starcoder; level: context; rate: 0.9; spm\\_share: 0.5; unit: character |" in text
    )
    assert "| prefix | path: 1.0 |" in text
    for words, form in (("as they are", "plain"), ("rearranged: suffix, prefix, middle", "spm")):
        assert f"| {words} | {tokens['forms'][form]} |" in text
    assert "Repository names and paths stand before files as they are" in text
    assert f"{sum(tokens['dropped'].values()):,} tokens that packing had no room for are in no row." in text


def test_the_card_has_a_table_of_licences_of_the_files_that_are_in_it(told):
    text = told.read(CARD).decode()
    assert "| licence of the files in it | files |" in text
    assert "| MIT | 4 |" in text
    assert "| not known | 5 |" in text


def test_licences_that_sources_state_are_told_without_detection(place, tmp_path):
    known = {"known": 3, "unknown": 1, "different": 25, "top": [["MIT", 2]]}
    dataset = changed(place, tmp_path, documents={"files": 4, "bytes": 9, "licenses": known})
    text = render(dataset)
    assert "| MIT | 2 |" in text
    assert "| 24 others | 1 |" in text
    assert "those above are what the sources state" in text
    assert facts(dataset)["licenses"] == known


def test_the_card_says_what_was_replaced(told):
    text = told.read(CARD).decode()
    assert "| replaced in the files in it | places |" in text
    assert "| email | 4 |" in text


def test_the_card_for_machines_says_the_same(told):
    found = orjson.loads(told.read(DATA))
    manifest = orjson.loads(told.read("manifest.json"))
    assert found["transforms"]["documents"] == manifest["tokens"]["forms"]
    assert set(found["transforms"]["recipe"]) == {"infill", "prefix"}
    assert found["packing"]["tail"] == "drop"
    assert found["licenses"]["top"] == [["MIT", 4]]
    assert found["funnel"] == manifest["funnel"]
    assert found["tokenizer"]["identity"] == manifest["tokenizer"]["identity"]
    assert found["contamination"]["suites"] == manifest["contamination"]["suites"]
    assert all(f"- {limit}" in told.read(CARD).decode() for limit in found["known_limits"])


def test_every_table_of_a_built_card_has_as_many_cells_in_every_row(told):
    lines = told.read(CARD).decode().split("\n")
    for before, line in zip(lines, lines[1:], strict=False):
        if before.startswith("|") and line.startswith("|"):
            assert before.replace("\\|", "").count("|") == line.replace("\\|", "").count("|"), line
    assert "\n\n\n" not in told.read(CARD).decode()


def test_no_transforms_are_told_of_a_dataset_without_any(place):
    assert transforms({}) == {}
    assert "transformed on their way" not in render(Finished.open(place))
    assert not any("Rearranged" in limit for limit in limits(Finished.open(place)))

"""Whois: a hash, the code itself, the code in another layout or with other names; and what is not there."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from columns.files import Place
from pipelines.cli import provenance
from pipelines.finished import Finished
from pipelines.whois import by_hash, by_text, is_hash
from tests.pipelines.building import build
from tests.pipelines.corpus import corpus, write_tree

CODE = """
def weights_of(samples, total):
    found = {}
    for name, number in sorted(samples.items()):
        if number <= 0 or total < number:
            continue
        found[name] = round(number / total, 3) * 100
    return {name: share for name, share in found.items() if share > 1}
""".lstrip()
FILES = {
    "holds.py": f"import os\n\n\n{CODE}\n\nprint(os.name)\n",
    "alone.py": CODE,
    "clean.py": "def f(a):\n    return a\n",
}
TEXT = """
extends: codex
name: small
layout: {parts: 3}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536}
contamination: {suites: []}
dedup: {near: false}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("whois")
    tree = write_tree(folder / "tree", FILES | dict(list(corpus().items())[:15]))
    return build(folder, folder / "out", [tree], text=TEXT)


@pytest.fixture(scope="module")
def dataset(built) -> Finished:
    return Finished.open(built)


def test_hashes_are_told_from_code():
    assert is_hash("Ab" * 16)
    assert is_hash("ab" * 32)
    assert not is_hash("ab" * 15)
    assert not is_hash("x = 1")


def test_a_text_is_found_by_its_hash(dataset):
    (found,) = by_hash(dataset, hashlib.sha256(CODE.encode()).hexdigest().upper())
    assert (found.repo, found.path, found.how, found.kept, found.share) == (
        "tree",
        "alone.py",
        "the same text",
        True,
        1,
    )
    (again,) = by_hash(dataset, found.doc_id)
    assert (again.path, again.how) == ("alone.py", "this file")
    assert by_hash(dataset, "00" * 32) == []


def test_code_is_found_letter_by_letter_with_its_lines(dataset):
    found = by_text(dataset, CODE)
    assert {(one.path, one.how, one.lines) for one in found} == {
        ("alone.py", "letter by letter", (1, 7)), ("holds.py", "letter by letter", (4, 10))
    }  # fmt: skip
    (one,) = by_text(dataset, "print(os.name)")
    assert (one.path, one.lines) == ("holds.py", (13, 13))


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda text: text.replace("    ", "\t"), "the same words"),
        (
            lambda text: text.replace("samples", "rows").replace("found", "kept").replace("number", "n"),
            "other names",
        ),
        (lambda text: text.replace("total", "whole").replace("\n", "\r\n"), "other names"),
    ],
)
def test_changed_code_is_found_too(dataset, change, how):
    found = by_text(dataset, change(CODE))
    assert {one.path for one in found} == {"alone.py", "holds.py"}
    assert all(how in one.how or one.how == "the same words" for one in found)
    assert all(one.share > 0.3 for one in found)


@pytest.mark.parametrize("text", ["zq = unheard_of_name(1)", "", "   \n", "é" * 500, "\0", "(" * 10_000])
def test_what_is_not_there_is_not_found(dataset, text):
    assert by_text(dataset, text) == []


def test_another_language_is_compared_by_its_words(dataset):
    assert {one.how for one in by_text(dataset, CODE.replace("    ", "  "), "rust")} == {"the same words"}


def test_the_command_reads_a_file_and_prints_who(built, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    provenance.whois(built.url, str(path))
    said = capsys.readouterr().out
    assert "tree:alone.py" in said
    assert "tree:holds.py" in said
    provenance.whois(built.url, str(path), as_json=True)
    assert {one["path"] for one in orjson.loads(capsys.readouterr().out)} == {"alone.py", "holds.py"}
    provenance.whois(built.url, "nothing like it")
    assert capsys.readouterr().out == "not found\n"

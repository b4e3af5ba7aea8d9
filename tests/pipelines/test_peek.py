"""Peek: rows spell what the files say, with boundaries, special tokens and padding; nothing in them can act."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from columns.errors import OutputError
from columns.files import Place
from pipelines.dataset import Dataset
from pipelines.peek import Segment, peek, peek_document, render, segments
from shards import ShardSet, load_tokenizer
from tests.pipelines.building import RECIPE, build, command

TEXT = RECIPE.replace("validation_fraction: 0.1", "validation_fraction: 0.0, tail: pad")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("peek")
    (folder / "src").mkdir()
    for number in range(12):
        code = "\n".join(f"def f{number}_{index}(x):\n\treturn x * {index + number}\n" for index in range(20))
        (folder / "src" / f"f{number}.py").write_text(code)
    evil = "# \x1b[31mred\x1b[0m \u202e text <|endoftext|>\n" + "\n".join(
        f"value_{index} = {index}" for index in range(40)
    )
    (folder / "src" / "evil.py").write_text(evil)
    return build(folder, folder / "out", [folder / "src"], text=TEXT)


def shown(rows, *, terminal: bool = False, width: int = 80, **options) -> str:
    sink = io.StringIO()
    render(
        rows,
        Console(
            file=sink, force_terminal=terminal, width=width, color_system="standard" if terminal else None
        ),
        **options,
    )
    return sink.getvalue()


def test_all_rows_spell_all_documents(place):
    rows = peek(place, 10_000)
    assert len(rows) == ShardSet(str(place.local)).rows()
    for document in ShardSet(str(place.local)).documents():
        pieces = [piece for row in rows for piece in row.pieces if piece.doc_id == document.doc_id.hex()]
        ids = load_tokenizer(Dataset(place).tokenizer)
        text = "".join(part.text for piece in pieces for part in piece.segments if not part.special)
        assert text == ids.decode(document.ids[:-1])
        assert pieces[-1].segments[-1] == Segment("<|endoftext|>", special=True)


def test_padding_and_text_fill_the_row(place):
    for row in peek(place, 10_000):
        assert row.left + row.right + sum(piece.length for piece in row.pieces) == 256
    assert peek(place, 10_000)[-1].right > 0


def test_the_seed_chooses_the_rows(place):
    one, again, other = peek(place, 2, 0), peek(place, 2, 0), peek(place, 2, 3)
    assert one == again
    assert [row.row for row in one] != [row.row for row in other]


def test_one_document_is_shown_whole(place):
    rows = peek_document(place, "f3.py")
    assert {piece.name for row in rows for piece in row.pieces} == {"src:f3.py"}
    text = "".join(part.text for row in rows for piece in row.pieces for part in piece.segments)
    assert text.startswith("def f3_0(x):\n\treturn x * 3")
    assert [row.pieces[0].offset for row in rows] == sorted(row.pieces[0].offset for row in rows)


def test_nothing_in_a_file_can_act(place):
    said = shown(peek_document(place, "evil.py"), lines=None)
    assert "\x1b" not in said
    assert "␛[31mred" in said
    assert "⟨U+202E⟩" in said


def test_text_that_spells_a_special_token_is_text(place):
    (row, *_) = peek_document(place, "evil.py")
    assert "<|endoftext|>" in row.pieces[0].segments[0].text
    assert not row.pieces[0].segments[0].special


def test_special_tokens_are_apart(place):
    tokenizer = load_tokenizer(Dataset(place).tokenizer)
    eot = tokenizer.eot_id
    assert list(segments(np.array([eot, eot]), tokenizer)) == [Segment("<|endoftext|>", special=True)] * 2
    assert list(segments(np.array([], np.uint16), tokenizer)) == []


def test_a_terminal_gets_colour_and_lines_that_fit(place):
    said = shown(peek(place, 3), terminal=True, width=30)
    assert "\x1b[1;36m" in said
    bare = re.sub(r"\x1b\[[\d;]*m", "", said)
    assert max(map(len, bare.split("\n"))) <= 30


def test_long_pieces_are_shortened_and_say_so(place):
    said = shown(peek(place, 1), lines=2)
    assert "more line" in said
    assert "more line" not in shown(peek(place, 1), lines=None)
    assert shown([]) == "no rows\n"


def test_a_file_that_is_not_there_is_refused(place, tmp_path):
    with pytest.raises(OutputError):
        peek_document(place, "nowhere.py")
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        peek(Place(str(tmp_path)), 1)


def test_the_command(place, tmp_path):
    plain = command("peek", str(place.local), "--n", "1")
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout.startswith("train row ")
    found = json.loads(command("peek", str(place.local), "--doc", "f3.py", "--json").stdout)
    assert found[0]["pieces"][0]["name"] == "src:f3.py"
    assert command("peek", str(tmp_path)).returncode == 2


TRANSFORMED = TEXT.replace(
    "vocab_size: 1024",
    "vocab_size: 1024, special_tokens: [<fim_prefix>, <fim_middle>, <fim_suffix>, <file_sep>]",
)
TRANSFORMS = "transforms: {infill: {rate: 0.9}, repository: {join: true, token: <file_sep>}}\n"


@pytest.fixture(scope="module")
def transformed(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("peek-transformed")
    (folder / "src").mkdir()
    for number in range(12):
        code = "\n".join(f"def f{number}_{index}(x):\n\treturn x * {index + number}\n" for index in range(6))
        (folder / "src" / f"f{number}.py").write_text(code)
    return build(
        folder, folder / "out", [folder / "src"], text=TRANSFORMED + "dedup: {near: false}\n" + TRANSFORMS
    )


def test_what_stands_before_a_text_is_apart(transformed):
    for row in peek(transformed, 1000):
        for piece in row.pieces:
            lead = [part for part in piece.segments if part.before]
            if not piece.offset:
                assert lead[0] == Segment("<file_sep>", special=True, before=True)
                assert lead[1].text == f"# {piece.name.removeprefix('src:')}\n"[: len(lead[1].text)]
            text = "".join(part.text for part in piece.segments if not part.before)
            assert "<file_sep>" not in text


def test_forms_and_joined_files_are_told(transformed):
    pieces = [piece for row in peek(transformed, 1000) for piece in row.pieces]
    assert {piece.form for piece in pieces} == {"plain", "psm", "spm"}
    begins = [piece for piece in pieces if not piece.offset]
    assert [piece.joined for piece in begins] == [False, *[True] * (len(begins) - 1)]
    said = shown(peek(transformed, 1000), lines=None)
    assert "· rearranged: prefix, suffix, middle ·" in said
    assert "· rearranged: suffix, prefix, middle ·" in said
    assert said.count("├ src:") == said.count("joined to the file before") == len(begins) - 1
    assert "<fim_middle>" in said


def test_a_rearranged_piece_holds_its_special_tokens(transformed):
    for row in peek(transformed, 1000):
        for piece in row.pieces:
            names = [part.text for part in piece.segments if part.special and part.text.startswith("<fim")]
            order = {"psm": ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]} | {"plain": []}
            assert names == order.get(piece.form, order["psm"])


def test_one_transformed_document_as_json(transformed):
    found = json.loads(command("peek", str(transformed.local), "--doc", "f3.py", "--json").stdout)
    assert {piece["form"] for row in found for piece in row["pieces"]} <= {"plain", "psm", "spm"}
    assert found[0]["pieces"][0]["prefix"] > 1

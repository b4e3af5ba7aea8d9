"""What must not change between versions and machines without a reason: choices by hash, and the shape of rows."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from columns.errors import InputError
from instruct.pairs import (
    BASH,
    EXCEL,
    MARKED,
    PAIR,
    PYTHON,
    Coded,
    FixedConfig,
    MaskConfig,
    divide_disjoint,
    mask_names,
    pretraining_schema,
    random_overlaps,
    template_of,
    tuning_schema,
)  # fmt: skip
from instruct.pairs.fixed import pad_mask, padded
from instruct.pairs.opened import document_of, lines_of, text_of
from instruct.pairs.snippets import language_of
from instruct.pairs.spans import Span, name_spans


def test_a_disjoint_division_is_the_same_for_ever():
    sides = divide_disjoint([f"sentence {n}" for n in range(40)], [f"code {n}" for n in range(40)])
    assert "".join(side[1] for side in sides) == "rrerrrrrrrrrrrrrrrrrrrrrrrrrrrarrarrrrar"


def test_masks_are_the_same_for_ever():
    ends = np.arange(1, 41, dtype=np.int32)
    spans = [Span(at, at + 1) for at in range(0, 40, 2)]
    masked = mask_names("bash/1", b"x " * 20, Coded(ends, ends), spans, MaskConfig())
    assert masked.positions == [6, 8, 16, 18, 22, 26, 34]


def test_random_divisions_are_the_same_for_ever():
    codes = [str(n // 2) for n in range(60)]
    assert list(random_overlaps(codes, 20, range(5))) == [12, 10, 16, 18, 14]


@pytest.mark.parametrize("schema", [PAIR, MARKED, tuning_schema(), pretraining_schema()])
def test_every_column_says_what_it_holds(schema):
    assert all(field.metadata and field.metadata[b"about"] for field in schema)
    assert len(set(schema.names)) == len(schema.names)
    assert "dropped" in schema.names or schema is PAIR


@pytest.mark.parametrize("schema", [tuning_schema, pretraining_schema])
def test_the_length_is_in_the_types(schema):
    for length in (1, 128, 300):
        sized = [field.type for field in schema(length) if pa.types.is_fixed_size_list(field.type)]
        assert sized
        assert {kind.list_size for kind in sized} == {length}


@pytest.mark.parametrize(
    ("code", "template"),
    [
        ("cd ~/src && make -j4 all", "cd ARG && make -j4 ARG"),
        ("tar -czf out.tgz --exclude='*.o' src", "tar -czf ARG --exclude= ARG"),
        ("ps aux | awk '{print $2}' | sort -u", "ps ARG | awk ARG | sort -u"),
        ("[ -f x ] && rm x", "[ -f ARG ] && rm ARG"),
        ("X=$(ls | wc -l); echo $X", "ARG = $( ls | wc -l ) ; echo ARG"),
        ("while read l; do echo $l; done < f", "while read ARG ; do echo ARG ; done < ARG"),
        ("find . -type d -execdir chmod 755 {} +", "find ARG -type ARG -execdir chmod ARG ARG ARG"),
        ("sudo -u bob ls /root", "sudo -u bob ARG ARG"),
        ("ls -l -- -x", "ls -l -- -x"),
        ("diff <(ls a) <(ls b)", "diff <( ls ARG ) <( ls ARG )"),
        ("echo a > b 2>&1 &", "echo ARG > ARG ARG >& ARG &"),
    ],
)
def test_templates_by_hand(code, template):
    assert " ".join(template_of(code)) == template


def test_one_vocabulary_of_kinds_for_all_languages():
    found = {lang: name_spans("for AND(x)", lang) for lang in (PYTHON, BASH, EXCEL)}
    assert found[PYTHON][0] == (0, 3)
    assert found[EXCEL] == [(0, 3)]
    assert all(spans == sorted(spans) for spans in found.values())


@pytest.mark.parametrize("length", [1, 3, 5])
def test_padding_by_hand(length):
    rows = [
        Coded(np.arange(size, dtype=np.int32) + 1, np.arange(size, dtype=np.int32)) for size in (0, 1, 3, 5)
    ]
    ids, mask = padded([*rows, None], length, 9).to_pylist(), pad_mask([*rows, None], length).to_pylist()
    for row, held, pads in zip([*rows, None], ids, mask, strict=True):
        size = 0 if row is None or len(row.ids) > length else len(row.ids)
        assert held == [*range(1, size + 1), *[9] * (length - size)]
        assert pads == [False] * size + [True] * (length - size)


def test_no_rows_are_padded_to_none():
    assert len(padded([], 4, 0)) == len(pad_mask([], 4)) == 0
    assert FixedConfig() == FixedConfig(128)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"\xef\xbb\xbfa\r\nb", ["a\r", "b"]),
        ("a\u2028b\x0cc\x85d\n".encode(), ["a\u2028b\x0cc\x85d"]),
        (b"\xff\n\0", ["\ufffd", "\0"]),
    ],
)
def test_only_a_line_feed_ends_a_line(tmp_path, data, lines):
    (tmp_path / "f").write_bytes(data)
    assert lines_of(tmp_path / "f") == lines


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError) as error:
        text_of(tmp_path)
    assert "expected UTF-8 text" in str(error.value)
    with pytest.raises(InputError):
        document_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "lang"),
    [
        ("BashSnippets.txt", BASH),
        ("python-snippets.txt.gz", PYTHON),
        ("ConditionalFormattingSnippets.txt", EXCEL),
        ("my_excel_rules.txt", EXCEL),
    ],
)
def test_languages_by_name(tmp_path, name, lang):
    assert language_of(tmp_path / name) == lang


def test_a_folder_s_name_tells_no_language(tmp_path):
    with pytest.raises(InputError, match="bash-snippets"):
        language_of(tmp_path / "bash" / "lines.txt")


def test_ratio_one_hides_every_name_there_is():
    ends = np.arange(1, 11, dtype=np.int32)
    spans = [Span(at, at + 1) for at in range(0, 10, 2)]
    masked = mask_names("a", b"x " * 5, Coded(ends, ends), spans, MaskConfig(1.0))
    assert Counter(masked.positions) == Counter(range(0, 10, 2))

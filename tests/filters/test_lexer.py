"""The lexer against its slow twin, on every language, and on golden cases language by language."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filters.signals import lexer_table
from filters.signals.lexer import language_numbers, lex
from filters.signals.lexer_table import language_rules, languages

sys.path.insert(0, str(Path(__file__).parent))
from lexer_twin import lex_slow

PIECES = [
    *("\n", "\r\n", " ", "  ", "\t", "a", "b1", "_", "é", "中", "🎉", "\0", "x = ", "return ", "not", "(", ")", "[", "]", "{", "}"),
    *("'", '"', "`", "'''", '"""', "\\", "\\'", '\\"', "\\\n", "\\\r\n", "''", '""', '""""', "'a'", "'\\n'", "'\\u{1F}'", "'é'"),
    *("#", "##", "//", "/*", "*/", "/", "--", "--[[", "--[==[", "]]", "]==]", "[[", "[=[", "#[", "]#", "#[[", "<!--", "-->", "{-", "-}"),
    *("(*", "*)", "#|", "|#", "<#", "#>", "###", "#=", "=#", "/+", "+/", "%", "%{", "%}", ";", "!", "*>", "::", "rem ", "REM ", "@rem "),
    *("${", "#{", "\\(", "$(", "$", "$$", "$x$", "@\"", "$'", "@'", "\n'@", "\n\"@", "r\"", "r'", 'r#"', '"#', 'R"x(', ')x"', "{|", "|}", "{x|", "|x}"),
    *("=begin", "\n=end", "\n=pod", "\n=cut", "<?", "<?php", "?>", "=>", "/[/]/", "/a'b/", "      *", "r'''", "R\"(", ')"', "'a", "u8'", "L'"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


def signs(text, language):
    marks = lex(pa.array([text], pa.large_string()), pa.array([language], pa.string()))
    return "".join("-#s"[mark] for mark in marks)


@given(texts, st.sampled_from(languages()))
def test_fast_equals_slow(text, language):
    assert signs(text, language) == lex_slow(text, language)


@pytest.mark.parametrize("language", languages())
def test_fast_equals_slow_in_every_language(language):
    generator = np.random.default_rng(7)
    for _ in range(60):
        text = "".join(PIECES[at] for at in generator.integers(0, len(PIECES), 20))
        assert signs(text, language) == lex_slow(text, language), text


@given(st.lists(st.tuples(st.one_of(st.none(), texts), st.sampled_from([*languages(), None, "markdown"])), max_size=6))
def test_rows_do_not_touch_each_other(rows):
    content = pa.array([text for text, _ in rows], pa.large_string())
    names = pa.array([name for _, name in rows], pa.string())
    whole = lex(content, names).tobytes()
    parts = [lex(content.slice(row, 1), names.slice(row, 1)).tobytes() for row in range(len(rows))]
    assert whole == b"".join(parts)


def test_the_real_sample_equals_the_slow_twin(github_sample):
    table = pq.read_table(github_sample, columns=["content", "language"]).slice(0, 4000)
    rows = [row for row in table.to_pylist()[::40] if len(row["content"] or "") < 8000]
    for row in rows:
        language = (row["language"] or "").lower()
        if language in languages():
            assert signs(row["content"], language) == lex_slow(row["content"], language)
    assert len(rows) > 50


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ('python', 'x = "# no"  # yes', '-----ssss---#####'),
        ('python', '"a\\"b" # c', '-ssss--###'),
        ('python', "r'\\' # x'", '--ssssss-'),
        ('python', '"open\nx', '-ssss--'),
        ('python', "'''a\nb'''", '#########'),
        ('python', 'def f():\n  r"""doc"""\n', '-----------##########-'),
        ('python', 'x = """a\n# b"""', '-------sssss---'),
        ('python', 'f(\n"""a""")', '------s----'),
        ('python', '# a\r\nx', '###---'),
        ('python', '# a', '###'),
        ('c', '/* a // b */ c // d', '############---####'),
        ('c', '"/*" \'"\' x // "', '-ss---s----####'),
        ('c', '/* never\nclosed', '###############'),
        ('c', '"a\\\nb" c', '-ssss---'),
        ('c++', 'R"x(a)" //)x" b', '----ssssss-----'),
        ('c++', "1'000'000 u8'a'", '-------------s-'),
        ('java', '"""\na "b"\n""" c', '---sssssss-----'),
        ('javascript', '`a ${b + `c`} d`', '-ss-------s--ss-'),
        ('javascript', 'a = /\'"/ // c', '---------####'),
        ('javascript', 'a / b / c // d', '----------####'),
        ('javascript', "x => /'/g", '---------'),
        ('javascript', "return /[/']/", '-------------'),
        ('go', '`a\\` // `', '-ss--####'),
        ('rust', '/* a /* b */ c */ d', '#################--'),
        ('rust', "'a x: &'a str = 'b'", '-----------------s-'),
        ('rust', 'r##"a"#b"## c', '----ssss-----'),
        ('swift', '/* /* */ */ a', '###########--'),
        ('swift', '#"a"b"# "\\(f("c"))"', '--sss---------s----'),
        ('kotlin', '"${m["a"]}b"', '------s---s-'),
        ('php', "it's <?php 'a' # b ?> it's", '------------s--####-------'),
        ('ruby', "=begin\n'\n=end\nx", '#############--'),
        ('perl', '$#a # b\n=pod\nx\n=cut\ny', '----###-###########--'),
        ('shell', '${#a} $# ${a#b} # c', '----------------###'),
        ('shell', 'echo \\" # c', '--------###'),
        ('shell', "'a\nb' # c", '-sss--###'),
        ('shell', "don't # x\n", '----sssss-'),
        ('lua', '--[==[ a\n]] ]==] x', '################--'),
        ('lua', '[[a\n--]] -- b', '--ssss---####'),
        ('haskell', "{- {- -} -} f' 'a'", '###########-----s-'),
        ('sql', "'it''s' -- a", '-ss--s--####'),
        ('yaml', "a: don't # b", '---------###'),
        ('vim script', '" a\nlet x = "b"', '###----------s-'),
        ('batchfile', 'Rem a\necho rem b', '#####-----------'),
        ('cobol', '      * a', '#########'),
        ('html', "<p>it's<!-- a --></p>", '-------##########----'),
        ('scss', 'url(http://a) // b', '--------------####'),
        ('matlab', "a' * 'b' % c", '------s--###'),
        ('zig', '\\\\ a // b\nx', '--sssssss--'),
        ('tex', '50\\% % a', '-----###'),
        ('c#', '@"a\\" + "b""c"', '--ss-----s--s-'),
        ('powershell', '<# a\n#> "`"" # b', '#######--ss--###'),
    ],
)
def test_golden(language, text, expected):
    assert len(lex_slow(text, language)) == len(text.encode())
    assert signs(text, language) == expected


def test_languages_without_a_lexer_are_all_code():
    assert signs("# 'a'", "markdown") == "-----"
    assert signs("# 'a'", None) == "-----"
    assert language_numbers(pa.array(["python", "markdown", None, "c"])).tolist() == [
        languages().index("python"),
        -1,
        -1,
        languages().index("c"),
    ]
    assert language_numbers(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize("piece", ["'", '"', "`${", "/*", "=/[", "R\"(", "r#\"", "{|", "$a$", "'''", "--[[", "<!--", "#{", "\\"])
@pytest.mark.parametrize("language", ["javascript", "c++", "rust", "sql", "lua", "ruby", "ocaml", "python", "shell"])
def test_repeated_openers_do_not_hang(piece, language):
    assert len(signs(piece * 20_000, language)) == len(piece) * 20_000


def test_languages_are_spelled_as_sources_spell_them():
    from sources.languages import KNOWN

    assert set(languages()) <= KNOWN


def test_every_key_of_the_table_is_one_the_compiler_reads():
    known = "like line line_close block strings line_strings chars tagged tagged_comments regex code_escape outside"
    entries = yaml.safe_load((Path(lexer_table.__file__).with_name("lexers.yaml")).read_text())
    assert {key for entry in entries.values() for key in entry} <= set(known.split())
    fields = "open close escape lines docstring inside after at fold nested prefixes not_before tag middle last"
    specs = [one for entry in language_rules().values() for rules in entry.values() if isinstance(rules, list) for one in rules]
    assert {key for one in specs if isinstance(one, dict) for key in one} <= set(fields.split())


PYGMENTS = {"python": "python", "java": "java", "c": "c", "javascript": "javascript", "go": "go"}


def pygments_counts(text, language):
    """Comment and string characters (quotes left out) according to pygments, as OpenCoder sorts its tokens."""
    lexers = pytest.importorskip("pygments.lexers", reason="needs pygments")
    from pygments.token import Comment, String

    lexer = lexers.get_lexer_by_name(PYGMENTS[language], stripnl=False, ensurenl=False)
    comments = (Comment.Multiline, Comment.Single, Comment.Hashbang, Comment.Special, String.Doc)
    counts = [0, 0]
    for kind, value in lexer.get_tokens(text):
        if kind in comments:
            counts[0] += len(value.rstrip("\n"))
        elif kind in String and kind not in {String.Affix, String.Regex}:
            counts[1] += sum(c not in "'\"`" for c in value)
    return counts


@pytest.mark.parametrize("language", PYGMENTS)
def test_shares_agree_with_pygments_on_real_files(github_sample, language):
    table = pq.read_table(github_sample, columns=["content", "language"])
    rows = [row["content"] for row in table.to_pylist() if (row["language"] or "").lower() == language]
    rows = [text.replace("\r\n", "\n") for text in rows if 200 < len(text or "") < 20_000][:60]
    close = []
    for text in rows:
        comments, strings = pygments_counts(text, language)
        found = signs(text, language)
        letters = text if text.isascii() else None
        own = sum(sign == "s" and letter not in "'\"`" for sign, letter in zip(found, letters or found, strict=True))
        if letters:
            close.append((abs(found.count("#") - comments) <= 0.02 * len(text), abs(own - strings) <= 0.02 * len(text)))
    assert np.mean([one for one, _ in close]) > 0.97
    assert np.mean([one for _, one in close]) > 0.9

"""HTML text against Python's own parser, and against Beautiful Soup where it is installed."""

from __future__ import annotations

import re
from html.entities import html5
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.testing import assert_batch_law
from filters.signals.html import HTML, measure_html

WILD = not hasattr(HTMLParser, "RCDATA_CONTENT_ELEMENTS")
TAME_PIECES = [
    *(
        "<p>",
        "</p>",
        "<b a=\"x>y\" c='d' e=f g>",
        "</b>",
        "<br>",
        "<br/>",
        "<IMG src=x />",
        "</div>",
        "<div>",
        "<A HREF='#'>",
    ),
    *(
        "<script>",
        "</script>",
        "<style>a < b & c</style>",
        "<script>if (a < b && '</p>') {}</script>",
        "<script src='x'/>",
    ),
    *("text", "  ", "\n", "\r\n", "\t", "é中🎉", "a & b", " < ", "1 > 0", '"', "'", "\0"),
    *("&amp;", "&nbsp;", "&copy", "&foo;", "&NotEqualTilde;", "&#65;", "&#x1F389;", "&#32;", "&#128; "),
    *("<!-- c -->", "<!-- <p> -- > x -->", "<!doctype html>", "<?php a ?>", "<!x>"),
    *("<template>", "</template>", "<pre>", "</pre>", "<textarea>", "</textarea>", "<rt>", "</rt>", "<rp>("),
]
WILD_PIECES = [
    *(
        "<",
        ">",
        "&",
        "&#",
        "&#x",
        "&a",
        "&a.b-",
        "=",
        "/",
        "-",
        "]",
        "<!--",
        "-->",
        "<!",
        "<![",
        "<![CDATA[",
        "]]>",
        "</",
        "</>",
        "</ ",
    ),
    *(
        "<![if x]>",
        "<![endif]>",
        "<![CDATA[ x ]]>",
        "<div",
        "<a href=",
        "<x y==",
        "</ script >",
        "</script",
        "</br>",
        "<svg:path/>",
    ),
]
tame = st.lists(st.sampled_from(TAME_PIECES), max_size=12).map(lambda pieces: " ".join(pieces) + " ")
symbols = st.text("<>&#;/!-[]'\"=? ax1é\n", max_size=25)
wild_pieces = [piece for piece in TAME_PIECES + WILD_PIECES if piece != "\0"]
wild = st.one_of(symbols, st.lists(st.sampled_from(wild_pieces), max_size=14).map("".join))
VOID = {
    *(
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "keygen",
        "link",
        "menuitem",
        "meta",
        "param",
    ),
    *(
        "source",
        "track",
        "wbr",
        "basefont",
        "bgsound",
        "command",
        "frame",
        "image",
        "isindex",
        "nextid",
        "spacer",
    ),
}


class Reader(HTMLParser):
    """The slow twin: what Beautiful Soup would make of the events of `html.parser`, as far as text goes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.visible, self.run, self.open, self.closed = [], "", [], []
        self.tags = 0

    def flush(self) -> None:
        run, self.run = self.run, ""
        if run and not {"script", "style", "template", "rt", "rp"} & set(self.open):
            self.visible.append(self.kept(run))

    def kept(self, run):
        if {"pre", "textarea"} & set(self.open) or run.strip(" \n\t\f\r"):
            return run
        return "\n" if "\n" in run else " "

    def handle_starttag(self, tag, attrs):
        self.flush()
        self.tags += 1
        if tag in VOID:
            self.closed.append(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.flush()
        self.tags += 1

    def handle_endtag(self, tag):
        self.tags += 1
        if tag in self.closed:
            self.closed.remove(tag)
            return
        self.flush()
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        self.run += data

    def handle_charref(self, name):
        number = int(name[1:], 16) if name[0] in "xX" else int(name)
        self.run += chr(number) if 0 < number < 0xD800 else "?"

    def handle_entityref(self, name):
        self.run += html5.get(name + ";", html5.get(name, "&" + name))

    def handle_comment(self, data):
        self.flush()

    handle_decl = handle_pi = handle_comment

    def unknown_decl(self, data):
        self.flush()
        if data.upper().startswith("CDATA["):
            self.visible.append(self.kept(data[6:]))


def html_slow(text: str) -> tuple[int, bool] | None:
    """Visible characters and whether parsing failed; None where html.parser gives up."""
    reader = Reader()
    try:
        reader.feed(text)
        reader.close()
    except AssertionError:
        return None
    reader.flush()
    return len("".join(reader.visible)), reader.tags == 0


def batch_of(texts, language="html"):
    content = pa.array(texts, pa.large_string())
    return pa.RecordBatch.from_pydict(
        {"content": content, "language": pa.array([language] * len(texts), pa.string())}
    )


def html_of(text):
    return measure_html(batch_of([text])).to_pylist()[0]


def assert_equal(texts):
    for text, found in zip(texts, measure_html(batch_of(texts)).to_pylist(), strict=True):
        expected = html_slow(text)
        if expected is None:
            assert found["html_parse_failed"], text
        else:
            assert (found["html_visible_chars"], found["html_parse_failed"]) == expected, text
            assert found["html_visible_fraction"] == (expected[0] / len(text) if text else 0.0)


@given(st.lists(tame, max_size=6))
def test_equals_html_parser_on_well_formed_pieces(texts):
    assert_equal(texts)


@pytest.mark.skipif(not WILD, reason="this Python's html.parser ends comments and scripts as browsers do")
@given(st.lists(wild, max_size=6))
def test_equals_html_parser_on_anything(texts):
    assert_equal(texts)


@given(tame)
def test_equals_beautiful_soup(text):
    bs4 = pytest.importorskip("bs4", reason="needs beautifulsoup4")
    soup = bs4.BeautifulSoup(text, "html.parser")
    for element in soup(["script", "style"]):
        element.extract()
    assert html_of(text)["html_visible_chars"] == len(soup.get_text())


@given(st.lists(st.one_of(st.none(), wild), max_size=6), st.integers(0, 6))
def test_batch_law(texts, cut):
    assert_batch_law(measure_html, batch_of(texts), min(cut, len(texts)))


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("<p>one</p> <p>two</p>", "one two"),
        ("<p>a &amp; b &lt; c</p>", "a & b < c"),
        ("<p>&nbsp;&nbsp</p>", "\xa0\xa0"),
        ("<p>&unknown; &AMP</p>", "&unknown &"),
        ("<p>&#65;&#x42;&#67 </p>", "ABC "),
        ("<p>a</p><script>var x = '<p>no</p>';</script>b", "ab"),
        ("<style>p > a { }</style>b", "b"),
        ("<SCRIPT>x</Script >b<i>", "b"),
        ("a<b><script>never closed <p>b</p>", "a"),
        ("<script/>text</p>", "text"),
        ("<p>a<!-- <b>no</b> -->b", "ab"),
        ("<p>a<!-- -- > b -->c", "a b -->c"),
        ("<!doctype html><p>x", "x"),
        ("<p><![CDATA[1 < 2]]></p>", "1 < 2"),
        ("<p><![if IE]>x<![endif]></p>", "x"),
        ("<![CDATA[<p><![if x]>y</b>", "<![CDATA[<p>y"),
        ("<?xml version='1.0'?><p>x", "x"),
        ('<a title="a > b">x</a>', "x"),
        ("<a title='a\" > b'>x</a>", "x"),
        ('<a title=a">x</a>', "x"),
        ("<p>a <b", "a <b"),
        ("<p>a </b", "a </b"),
        ("<p>1 < 2 <3</p>", "1 < 2 <3"),
        ("<p>a &# b; &# c</p>", "a &# b; &# c</p>"),
        ("<p>a<template><b>no</b></template>b", "ab"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt></ruby>", "漢"),
        ("<div><template>no</div>yes", "yes"),
        ("<p>  \n  </p> <pre>  \n  </pre>", "\n   \n  "),
        ("<p>\r\n\r\n</p>", "\n"),
        ("\ufeff<p>é中🎉</p>", "\ufeffé中🎉"),
        ("<p>a\0b</p>", "a\0b"),
    ],
)
def test_golden(text, visible):
    found = html_of(text)
    assert found == {
        "html_visible_chars": len(visible),
        "html_visible_fraction": len(visible) / len(text),
        "html_parse_failed": False,
    }


@pytest.mark.parametrize(
    "text", ["", "plain text", "1 < 2 > 3", "<!doctype html>", "<!-- a -->", "<p><![foo[x]]></p>", "<p><![ x"]
)
def test_what_fails_to_parse(text):
    assert html_of(text)["html_parse_failed"]


def test_every_named_reference_has_its_length():
    names = sorted(name.removesuffix(";") for name in html5)
    texts = [f"<p>&{name};" for name in names]
    lengths = [html5.get(name + ";", html5.get(name)) for name in names]
    found = measure_html(batch_of(texts)).column("html_visible_chars").to_pylist()
    assert found == [len(characters) for characters in lengths]
    assert len(names) > 2200


def test_other_languages_and_missing_content_are_null():
    missing = dict.fromkeys(HTML.names)
    assert measure_html(batch_of(["<p>x"], "php")).to_pylist() == [missing]
    assert measure_html(batch_of(["<p>x"], None)).to_pylist() == [missing]
    assert measure_html(batch_of([None, "<p>x"])).to_pylist()[0] == missing
    assert measure_html(batch_of([])).num_rows == 0


def test_elements_deeper_than_the_limit_are_text_all_the_same():
    assert html_of("<i>" * 2000 + "x" + "</i>" * 2000)["html_visible_chars"] == 1


@pytest.mark.parametrize(
    "piece",
    [
        "<!",
        "<!--",
        "<![CDATA[",
        "<![if",
        "<?",
        "</",
        "<a ",
        "<a b='",
        '<a b="',
        "&#",
        "&#;",
        "&a",
        "<",
        "&",
        "<script>",
        "</b>",
        "<b>",
        "--",
        "]]",
    ],
)
def test_repeated_open_markup_does_not_hang(piece):
    assert html_of(piece * (300_000 // len(piece)))["html_visible_chars"] is not None


def test_every_signal_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in HTML)
    assert all(re.fullmatch(r"html_\w+", field.name) for field in HTML)

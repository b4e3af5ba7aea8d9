"""Finding: every planted kind, no look-alike, and the laws every batch of spans obeys."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from privacy import (
    DEFAULT_KINDS,
    KINDS,
    PRIVACY,
    SPANS,
    PrivacyConfig,
    find_spans,
    lookalikes,
    measure_privacy,
    planted,
)
from privacy.anchors import BACKS, SHAPES, anchors_of, find_places
from privacy.lookalikes import LOOKALIKES

PLANTS = planted(7, 5)
PIECES = [
    *(
        "\n",
        " ",
        "é",
        "中",
        "🎉",
        "@",
        ".",
        "=",
        '"',
        "'",
        ":",
        "/",
        "-",
        "_",
        "<EMAIL>",
        "<KEY>",
        "1",
        "a",
        "A",
        "eyJ",
        "0",
    ),
    *(
        "ada@lovelace.org",
        "x@y",
        "93.184.216.34",
        "1.2.3.4",
        "password = ",
        "token: ",
        "://",
        "postgres://u:",
        "@h.io",
    ),
    *(
        "-" * 5 + "BEGIN PRIVATE KEY" + "-" * 5,
        "-" * 5 + "END PRIVATE KEY" + "-" * 5,
        "2a01:4f8::1",
        "::",
        "bearer ",
        "Basic ",
    ),
    *(
        "q8!Zr2Lw",
        "Zm9vYmFyMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEy",
        "SECRET_KEY=",
        "-us12",
        ":AA",
    ),
    *(text.text.encode()[text.start : text.end].decode() for text in PLANTS[::3]),
]
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.sampled_from([plant.text for plant in PLANTS]),
)
batches = st.lists(st.one_of(st.none(), texts), max_size=5)


def strings(*found: str | None) -> pa.Array:
    return pa.array(found, pa.large_string())


def kinds_in(text: str, config: PrivacyConfig | None = None) -> list[str]:
    return find_spans(strings(text), config or PrivacyConfig()).column("kind").to_pylist()


def finds(text: str) -> list[str]:
    """The texts found; only for made-up values."""
    return [
        text.encode()[row["start"] : row["end"]].decode() for row in find_spans(strings(text)).to_pylist()
    ]


@pytest.mark.parametrize("kind", sorted({plant.kind for plant in PLANTS}))
def test_every_plant_is_found_to_the_byte(kind):
    chosen = [plant for plant in PLANTS if plant.kind == kind]
    rows = find_spans(strings(*(plant.text for plant in chosen))).to_pylist()
    found = [(row["row"], row["start"], row["end"], row["kind"]) for row in rows]
    assert found == [(row, plant.start, plant.end, kind) for row, plant in enumerate(chosen)]


def test_every_kind_is_planted_but_the_one_that_is_off():
    assert {plant.kind for plant in PLANTS} == set(DEFAULT_KINDS)
    assert set(KINDS) - set(DEFAULT_KINDS) == {"private_ip_address"}


@pytest.mark.parametrize("form", range(len(LOOKALIKES)))
def test_no_look_alike_is_found(form):
    chosen = lookalikes(7, 5)[5 * form : 5 * form + 5]
    assert find_spans(strings(*chosen)).num_rows == 0, LOOKALIKES[form]


@given(batches)
def test_spans_are_sorted_apart_inside_and_on_character_edges(found):
    rows = find_spans(strings(*found)).to_pylist()
    assert [(row["row"], row["start"]) for row in rows] == sorted((row["row"], row["start"]) for row in rows)
    for row in rows:
        raw = found[row["row"]].encode()
        assert 0 <= row["start"] < row["end"] <= len(raw)
        raw[: row["start"]].decode()
        raw[row["start"] : row["end"]].decode()
        assert row["line"] == raw[: row["start"]].count(b"\n") + 1
    assert all(a["row"] < b["row"] or a["end"] <= b["start"] for a, b in pairwise(rows))


@given(batches, st.integers(0, 5))
def test_batch_law_of_the_facts(found, cut):
    assert_batch_law(lambda batch: measure_privacy(batch).facts, documents(found), min(cut, len(found)))


@given(batches, st.integers(0, 5))
def test_batch_law_of_the_spans(found, cut):
    content, cut = strings(*found), min(cut, len(found))
    behind = [{**row, "row": row["row"] + cut} for row in find_spans(content.slice(cut)).to_pylist()]
    assert find_spans(content).to_pylist() == find_spans(content.slice(0, cut)).to_pylist() + behind


@given(st.lists(texts, max_size=3))
def test_places_equal_a_slow_search(found):
    content = strings(*found)
    data = np.frombuffer("".join(found).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in found)])
    names = tuple(name for name in KINDS if not KINDS[name].gate)
    places = find_places(data, offsets, names)
    got = sorted(
        set(
            zip(
                places.row.tolist(),
                (places.start - offsets[places.row]).tolist(),
                places.kind.tolist(),
                strict=True,
            )
        )
    )
    assert got == sorted(
        {
            place
            for row, text in enumerate(content.to_pylist())
            for place in slow_places(row, text.encode(), names)
        }
    )


def slow_places(row, raw, names):
    """Where anchors without a gate lie: a plain regular expression and a loop backwards."""
    for number, name in enumerate(names):
        kind = KINDS[name]
        allowed, limit = BACKS[kind.back]
        for anchor in kind.anchors:
            pattern = re.compile(
                b"(?=" + re.escape(anchor.encode()) + b")", re.IGNORECASE if kind.fold else 0
            )
            for match in pattern.finditer(raw):
                start = match.start()
                while start > max(0, match.start() - limit) and raw[start - 1] in allowed:
                    start -= 1
                yield row, start, number


def test_gates_let_every_plant_through():
    for plant in PLANTS:
        raw = plant.text.encode()
        places = find_places(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]), (plant.kind,))
        assert any(start <= plant.end for start in places.start.tolist()), plant.kind


def test_anchor_tables_are_kept_and_complete():
    anchors = anchors_of(DEFAULT_KINDS)
    assert anchors_of(DEFAULT_KINDS) is anchors
    assert set(anchors.kind.tolist()) == set(range(len(DEFAULT_KINDS)))
    assert anchors.pairs.max() + 1 == len(anchors.member_starts) - 1
    assert all(len(text) > 1 for kind in KINDS.values() for text in kind.anchors)
    assert {text[1:] for kind in KINDS.values() for text in kind.anchors if text[0] == "?"} == set(SHAPES)


def test_only_the_kinds_asked_for():
    text = "ada@lovelace.org 93.184.216.34"
    assert kinds_in(text) == ["email", "ip_address"]
    assert kinds_in(text, PrivacyConfig(kinds=("email",), redact=())) == ["email"]
    assert kinds_in(text, PrivacyConfig(kinds=(), redact=())) == []
    assert kinds_in("at 192.168.7.9", PrivacyConfig(kinds=("private_ip_address",), redact=())) == [
        "private_ip_address"
    ]


def test_configuration_is_checked():
    with pytest.raises(ValueError, match=r"kinds: expected names of privacy\.KINDS, got 'emails'"):
        PrivacyConfig(kinds=("emails",))
    with pytest.raises(ValueError, match="redact: expected some of kinds, got 'email'"):
        PrivacyConfig(kinds=("ip_address",), redact=("email",))


def test_the_kind_listed_first_wins_and_nothing_overlaps():
    token = next(plant for plant in PLANTS if plant.kind == "stripe_key")
    value = token.text.encode()[token.start : token.end].decode()
    assert kinds_in(f'api_key = "{value}"') == ["stripe_key"]
    assert kinds_in("https://ci:q8Zr2Lw9@lovelace.org/x") == ["url_password"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mail\\nada@lovelace.org", ["ada@lovelace.org"]),
        ("..ada@lovelace.org.", ["ada@lovelace.org"]),
        ("<ada.b+c@cs.uni-bonn.de>", ["ada.b+c@cs.uni-bonn.de"]),
        ("éada@lovelace.org", ["ada@lovelace.org"]),
        ("http://u:pw@lovelace.org/", []),
        ("a@b@lovelace.org", []),
        ("ada@lovelace.organics", []),
        ("ada@lovelace", []),
        ("x" * 70 + "@lovelace.org", []),
        ("ip 93.184.216.34:80", ["93.184.216.34"]),
        ("ip 93.184.216.34.5", []),
        ("ip 093.184.216.34", []),
        ("ip 93.184.216.340", []),
        ("curl/93.184.216.34", []),
        ("x==93.184.216.34", []),
        ("host 3.4.5.6", ["3.4.5.6"]),
        ("see 3.4.5.6", []),
        ("ip 7.7.7.7", []),
        ("[2a01:4f8:0:1::2]", ["2a01:4f8:0:1::2"]),
        ("2a01:4f8:::2", []),
        ("std::dead::beef", []),
        ("password = 'q8!Zr2Lw'", ["q8!Zr2Lw"]),
        ("password: str = 'q8!Zr2Lw'", ["q8!Zr2Lw"]),
        ("if password == 'q8!Zr2Lw':", ["q8!Zr2Lw"]),
        ("password = q8!Zr2Lw", []),
        ("password = 'users.password_1'", []),
        ("password = '$2b$12$abcdefghijk'", []),
        ("password = 'q8!Zr2Lw", []),
        ("password_hint = 'q8!Zr2Lw'", []),
    ],
)
def test_golden_edges(text, found):
    assert finds(text) == found


def test_a_cut_off_private_key_ends_with_its_last_line():
    head, line = "-" * 5 + "BEGIN RSA PRIVATE KEY" + "-" * 5, "Zm9vYmFyMTIz" * 5
    assert finds(f"k = '''{head}\n{line}\n{line}\n''' # end") == [f"{head}\n{line}\n{line}"]
    assert finds(f"{head}\nMIIE...\n") == []
    assert finds(f"{head}\n{head}\n{line}\n{line}") == [f"{head}\n{line}\n{line}"]


def test_what_shows_only_behind_a_placeholder_is_found_too():
    """Dashes glue the address to the key's last letters; with the placeholder in, it stands alone."""
    block = next(plant for plant in PLANTS if plant.kind == "private_key")
    pem = block.text.encode()[block.start : block.end].decode()
    text = f"é {pem}ada@lovelace.org"
    assert finds(text) == [pem, "ada@lovelace.org"]
    assert kinds_in(text, PrivacyConfig(redact=())) == ["private_key"]


def test_schemas_and_nulls():
    batch = documents(["x", None, "by ada@lovelace.org"])
    facts, spans = measure_privacy(batch)
    assert facts.schema.equals(PRIVACY)
    assert spans.schema.equals(SPANS)
    assert facts.to_pylist() == [
        {"secret_count": 0, "personal_count": 0},
        {"secret_count": None, "personal_count": None},
        {"secret_count": 0, "personal_count": 1},
    ]
    assert find_spans(strings()).schema.equals(SPANS)
    assert find_spans(pa.array(["by ada@lovelace.org"])).num_rows == 1


def test_counts_are_by_group():
    facts = measure_privacy(documents([plant.text for plant in PLANTS])).facts.to_pylist()
    for plant, row in zip(PLANTS, facts, strict=True):
        other = "personal" if KINDS[plant.kind].group == "secret" else "secret"
        assert (row[f"{KINDS[plant.kind].group}_count"], row[f"{other}_count"]) == (1, 0)


HOSTILE = {
    "signs": "@" * 1_000_000,
    "mails": "a@a.aa" * 100_000,
    "dotted mails": "a." * 300_000 + "@b.com",
    "long line": "x = 1; " * 1_400_000,
    "names": "password" * 100_000,
    "assignments": "password=" * 80_000,
    "open quotes": "secret='" * 80_000,
    "headers": ("-" * 5 + "BEGIN PRIVATE KEY" + "-" * 5) * 20_000,
    "dashes": "-" * 1_000_000,
    "urls": "a://b:" * 100_000,
    "digits": "1.1." * 200_000,
    "colons": "a:" * 300_000,
    "tokens": "eyJ" * 200_000,
    "dots": "a" * 21 + ".aaaaaa" * 100_000,
    "blanks": "token" + " " * 1_000_000 + "=",
    "prefixes": "ghp_" * 150_000,
    "glued": "Q~" * 300_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_linear(name):
    """Not a timing: a bound that only a quadratic or an exponential search would break."""
    text = HOSTILE[name]
    begun = time.process_time()
    find_spans(strings(text))
    assert time.process_time() - begun < 20


def test_patterns_are_bounded():
    """No repetition without a limit, so that no match can grow with the text."""
    from privacy import assigned, finders, kinds, providers

    patterns = [
        assigned.ASSIGNMENT,
        kinds._AWS_SECRET,
        kinds._URL,
        kinds._BEARER,
        kinds._BASIC,
        finders._EMAIL.pattern,
    ]
    for kind in providers.PROVIDERS:
        cells = [cell.cell_contents for cell in kind.find.__closure__ or ()]
        patterns += [cell.pattern for cell in cells if isinstance(cell, re.Pattern)]
    assert len(patterns) > 40
    for pattern in patterns:
        assert re._parser.parse(pattern).getwidth()[1] < finders.WINDOW


def test_github_sample_has_few_finds(github_sample):
    content = (
        pq.read_table(github_sample, columns=["content"]).slice(0, 1500).combine_chunks().column(0).chunk(0)
    )
    spans = find_spans(content)
    assert 0 < spans.num_rows < 200

"""Verification of transformed documents: every transform and packing passes, and each kind of damage is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from columns.files import Place
from columns.tables import write_arrow
from pipelines.verification import verify_dataset
from pipelines.verification.searching import Search, Seen
from pipelines.verification.spelled import Expected, Noted, Spelling
from shards import ShardSet, TokenizerConfig, TransformConfig, load_tokenizer, make_tokenizer
from shards.infilling import PLAIN, PSM, SPM, Cuts, InfillConfig, encode_infilled
from tests.pipelines.building import build
from tests.pipelines.corpus import leak, write_tree
from tests.pipelines.test_shard import FILES, SMALL
from tests.pipelines.test_transforms import ALICE
from tests.pipelines.test_verification import failed, rewrite

LAYOUT = "▁<PRE>, ▁<MID>, ▁<SUF>, ▁<EOT>"
SPECIAL = "<fim_prefix>, <fim_middle>, <fim_suffix>, <file_sep>, <reponame>, <filename>, <gh_stars>, <s>"
TOKENIZER = f"tokenizer: {{vocab_size: 400, special_tokens: [{SPECIAL}, {LAYOUT}]}}\n"
PREFIX = "prefix: {language: 1.0, repo: 0.5, path: 1.0, tokens: ['', <reponame>, <filename>, <gh_stars>]}"
JOIN = "repository: {join: true, token: <file_sep>}"
LONG = {f"l{n}.py": "".join(FILES[f"f{k:02d}.py"].replace(" = ", f" = v{n} + ") for k in range(n, n + 4))
        for n in range(0, 24, 6)}  # fmt: skip
KEEP_ALL = SMALL.replace("extends: codex", "extends: codex\ndedup: {near: false}")
Rows = list[dict[str, Any]]


def recipe(transforms: str, pack: str, more: str = "") -> str:
    options = f"shard_tokens: 8192, validation_fraction: 0.2, {pack}"
    return f"{KEEP_ALL}{TOKENIZER}pack: {{{options}}}\ntransforms: {{{transforms}}}\n{more}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two repositories, and the same text in both but for a line."""
    folder = tmp_path_factory.mktemp("verify-transforms")
    half = len(FILES) // 2
    write_tree(folder / "one", dict(list(FILES.items())[:half]) | LONG | {"mail.py": ALICE})
    write_tree(folder / "two", dict(list(FILES.items())[half:]))
    return folder


def built(folder: Path, name: str, text: str) -> Place:
    """A dataset of both repositories, whose first stages are those of the one built before."""
    out = folder / name
    before = sorted(path for path in folder.glob("out-*") if (path / "manifest.json").exists())
    if before:
        shutil.copytree(before[0], out)
    return build(folder, out, [folder / "one", folder / "two"], text=text)


PACKINGS = {
    "drop": "seq_len: 300, tail: drop",
    "pool": "seq_len: 1100, tail: pool",
    "left": "seq_len: 1100, tail: pad, pad: left",
    "best": "seq_len: 1100, method: best_fit",
    "single": "seq_len: 1100, method: single",
    "truncate": "seq_len: 300, method: single, overlong: truncate",
    "overlong": "seq_len: 1100, method: single, overlong: drop",
}
TRANSFORMS = {
    "infill": "infill: {rate: 0.9}",
    "codellama": "infill: {rate: 0.9, layout: codellama, level: document}",
    "prefix": PREFIX,
    "join": JOIN,
    "all": f"infill: {{rate: 0.9}}, {PREFIX}, {JOIN}",
}


@pytest.mark.parametrize("transforms", TRANSFORMS)
@pytest.mark.parametrize("pack", PACKINGS)
def test_every_transform_and_packing_passes(folder, transforms, pack):
    name = f"out-{transforms}-{pack}"
    text = recipe(TRANSFORMS[transforms], PACKINGS[pack], "privacy: {find: true, redact: [email]}\n")
    place = built(folder, name, text)
    checks = verify_dataset(place, sample=None)
    assert {check.name: check.problems for check in checks if not check.passed} == {}
    assert [check.name for check in checks if check.skipped] == []
    assert ("joined files" in {check.name for check in checks}) == ("repository" in TRANSFORMS[transforms])


def test_documents_that_begin_with_a_token_pass(folder):
    text = recipe(TRANSFORMS["all"], PACKINGS["best"]).replace("vocab_size: 400", "vocab_size: 400, bos: <s>")
    assert failed(built(folder, "out-bos", text), sample=None) == {}


def test_cut_texts_pass(folder, tmp_path):
    """A file from which a benchmark task is cut out is trained on without it, rearranged or not."""
    held = leak("HumanEval/4").replace("import os", "import os\n\n" + FILES["f01.py"])
    (tmp_path / "src").mkdir()
    write_tree(tmp_path / "src", {"leak.py": held, **{name: FILES[name] for name in list(FILES)[:6]}})
    more = "contamination: {action: excise}\n"
    text = recipe("infill: {rate: 1.0, level: document}", PACKINGS["left"], more)
    place = build(tmp_path, tmp_path / "out", [tmp_path / "src"], text=text)
    assert failed(place, sample=None) == {}
    tokenizer = load_tokenizer(place.child("tokenizer"))
    said = "".join(tokenizer.decode(one.ids) for one in ShardSet(place.url).documents())
    assert "candidate([1.0" not in said


@pytest.fixture(scope="module")
def infilled(folder) -> Place:
    """A row a document, so that damage is easy to place: rearranged, with something before it."""
    text = recipe(f"infill: {{rate: 0.9}}, {PREFIX}", "seq_len: 2048, method: single")
    return built(folder, "out-infilled", text)


@pytest.fixture(scope="module")
def joined(folder) -> Place:
    text = recipe(TRANSFORMS["join"], "seq_len: 512, tail: pad").replace("0.2", "0.0")
    return built(folder, "out-joined", text)


def damaged(
    place: Place, tmp_path: Path, change: Callable[[Rows], object], *, shard: int = 0
) -> dict[str, Any]:
    """What verification says after ``change`` was made to the rows of a train shard, checksums right."""
    shutil.copytree(place.local, tmp_path / "copy")
    copy = Place(str(tmp_path / "copy"))
    names = [name for name in ShardSet(copy.url).names if name.startswith("train")]

    def made(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        change(rows)
        return pa.Table.from_pylist(rows, table.schema)

    rewrite(copy, names[shard], made)
    return failed(copy, sample=None)


def of_form(rows: Rows, *forms: int) -> dict[str, Any]:
    """The first row whose document has one of the forms."""
    return next(row for row in rows if row["doc_forms"][0] in forms)


@pytest.mark.parametrize("form", [PLAIN, PSM, SPM])
def test_a_flipped_id_is_found_in_every_form(infilled, tmp_path, form):
    def flip(rows: Rows) -> None:
        row = of_form(rows, form)
        at = row["doc_prefixes"][0] + 30
        row["input_ids"][at] = row["input_ids"][at] % 200 + 1

    (line,) = damaged(infilled, tmp_path, flip)["texts"]
    assert "its tokens spell another text, from token" in line


def test_a_flipped_id_before_the_text_is_found(infilled, tmp_path):
    def flip(rows: Rows) -> None:
        rows[0]["input_ids"][3] = rows[0]["input_ids"][3] % 200 + 1

    (line,) = damaged(infilled, tmp_path, flip)["texts"]
    assert "what stands before its text is not what the recipe puts there" in line


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (lambda row: row.update(doc_forms=[3 - row["doc_forms"][0]]), "texts", "spell another text|cannot be read"),
        (lambda row: row.update(doc_forms=[PLAIN]), "rows and spans", "a middle that cannot be"),
        (lambda row: row.update(doc_forms=[7]), "rows and spans", "a form that does not exist"),
        (lambda row: row.update(doc_cuts=[[9, 4]]), "rows and spans", "a middle that cannot be"),
        (lambda row: row.update(doc_prefixes=[row["doc_prefixes"][0] + 1]), "texts", "tokens stand before its text"),
        (lambda row: row.update(doc_prefixes=[9999]), "rows and spans", "more tokens before a text"),
        (lambda row: row.update(doc_lengths=[row["doc_lengths"][0] + 5]), "every survivor", "its end is missing"),
        (lambda row: row.update(doc_lengths=[3, ]), "rows and spans", "tokens behind the end"),
    ],
)  # fmt: skip
def test_wrong_notes_are_found(infilled, tmp_path, change, check, said):
    lines = damaged(infilled, tmp_path, lambda rows: change(of_form(rows, PSM)))[check]
    assert any(part in line for part in said.split("|") for line in lines)


def test_places_that_are_off_by_one_are_found(infilled, tmp_path):
    def move(rows: Rows) -> None:
        row = of_form(rows, PSM, SPM)
        row["doc_cuts"] = [[row["doc_cuts"][0][0] + 1, row["doc_cuts"][0][1] + 1]]

    (line,) = damaged(infilled, tmp_path, move)["texts"]
    assert "its middle is not where the shard says" in line


def test_swapped_documents_are_found(infilled, tmp_path):
    def swap(rows: Rows) -> None:
        rows[0]["doc_ids"], rows[1]["doc_ids"] = rows[1]["doc_ids"], rows[0]["doc_ids"]

    assert len(damaged(infilled, tmp_path, swap)["texts"]) >= 2


def test_a_survivor_that_is_gone_is_found(infilled, tmp_path):
    wrong = damaged(infilled, tmp_path, lambda rows: rows.pop(1))
    assert any("kept, but not in the shards" in line for line in wrong["every survivor"])


def test_a_dropped_file_that_came_back_is_found(folder, tmp_path):
    """An exact copy has an id of its own, which only the ledger knows as dropped."""
    write_tree(
        tmp_path / "src", {**{name: FILES[name] for name in list(FILES)[:9]}, "copy.py": FILES["f03.py"]}
    )
    text = recipe("infill: {rate: 0.9}", "seq_len: 2048, method: single").replace("0.2", "0.0")
    place = build(tmp_path, tmp_path / "out", [tmp_path / "src"], text=text)
    assert failed(place, sample=None) == {}
    ledger = pa.concat_tables(
        [pa.parquet.read_table(path) for path in sorted((tmp_path / "out" / "ledger").glob("part-*"))]
    )
    dropped = next(row["doc_id"] for row in ledger.to_pylist() if not row["kept"])
    wrong = damaged(place, tmp_path, lambda rows: rows[0].update(doc_ids=[dropped]))
    assert any("dropped by exact_duplicate, but in the shards" in line for line in wrong["no dropped file"])


@pytest.mark.parametrize("form", [PSM, SPM])
@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_a_benchmark_task_is_seen_though_it_is_rearranged(infilled, tmp_path, form, where):
    """The task's text is cut in two places, so it stands nowhere in one piece in the row's tokens."""
    text = leak("HumanEval/4")
    tokenizer, config = load_tokenizer(infilled.child("tokenizer")), InfillConfig(rate=0.9)
    start, end = int(where * len(text)), int((where + 0.2) * len(text))
    cuts = Cuts(np.array([form]), np.array([start]), np.array([end]))
    ids = encode_infilled([text], cuts, tokenizer, config).ids.tolist()

    def plant(rows: Rows) -> None:
        row = of_form(rows, form)
        lead = row["input_ids"][: row["doc_prefixes"][0]]
        whole = [*lead, *ids, tokenizer.eot_id]
        row["input_ids"] = [*whole, *[tokenizer.eot_id] * (2048 - len(whole))]
        row |= {"n_tokens": len(whole), "doc_lengths": [len(whole)], "doc_cuts": [[start, end]]}

    wrong = damaged(infilled, tmp_path, plant)
    assert any("its tokens hold humaneval HumanEval/4" in line for line in wrong["no benchmark text"])
    assert any("spell another text" in line for line in wrong["texts"])


def test_reported_tasks_may_stand_in_the_tokens(tmp_path):
    write_tree(
        tmp_path / "src", {"leak.py": leak("HumanEval/4"), **{name: FILES[name] for name in list(FILES)[:5]}}
    )
    for action in ("report", "drop"):
        text = recipe(
            "infill: {rate: 1.0}", "seq_len: 2048, method: single", f"contamination: {{action: {action}}}\n"
        )
        place = build(tmp_path, tmp_path / action, [tmp_path / "src"], text=text)
        assert failed(place, sample=None) == {}


def test_without_suites_nothing_is_searched(tmp_path):
    write_tree(tmp_path / "src", {name: FILES[name] for name in list(FILES)[:5]})
    text = recipe("infill: {rate: 1.0}", "seq_len: 2048, method: single", "contamination: {suites: []}\n")
    place = build(tmp_path, tmp_path / "out", [tmp_path / "src"], text=text)
    found = {check.name: check for check in verify_dataset(place, sample=None)}
    assert found["no benchmark text"].skipped == "the recipe names no suites"
    assert all(check.passed for check in found.values())


def test_a_search_without_an_index_looks_at_nothing():
    from contamination import ContaminationConfig
    from contamination.commonness import Common

    search = Search(ContaminationConfig(), None, Common({}), "why")
    search.add([Seen("a.py", "python", b"0" * 32, leak("HumanEval/4"))])
    assert (search.check().skipped, search.check().problems) == ("why", ())


def first_with(rows: Rows, pieces: int) -> dict[str, Any]:
    return next(row for row in rows if len(row["doc_ids"]) >= pieces)


def swap_files(rows: Rows) -> None:
    """Two files of a repository change places: what the notes say does not."""
    row = first_with(rows, 3)
    row["doc_ids"][0], row["doc_ids"][1] = row["doc_ids"][1], row["doc_ids"][0]


def end_early(rows: Rows) -> None:
    """An end of text in the middle of a repository."""
    row = first_with(rows, 3)
    row["input_ids"][row["doc_starts"][1] - 1] = rows[-1]["input_ids"][-1]


def other_place(rows: Rows) -> None:
    """A file says that more of its repository stands before it than does."""
    for row in rows:
        row["doc_befores"] = [before + 7 * (before > 0) for before in row["doc_befores"]]


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (end_early, "joined files", "ends with an end of text but is not the last file"),
        (other_place, "joined files", "what stands behind it is not the next file"),
        (swap_files, "texts", ""),
        (lambda rows: rows.pop(3), "every survivor", "has a gap"),
        (lambda rows: rows.pop(), "every survivor", "its end is missing"),
    ],
)
def test_damage_to_joined_files_is_found(joined, tmp_path, change, check, said):
    assert any(said in line for line in damaged(joined, tmp_path, change)[check])


def test_a_repository_in_the_wrong_shard_is_found(joined, tmp_path):
    shutil.copytree(joined.local, tmp_path / "copy")
    copy = Place(str(tmp_path / "copy"))
    names = ShardSet(copy.url).names
    bare = [name for name in names if ShardSet(copy.url).shards[names.index(name)].rows == 0]
    full = [name for name in names if name not in bare]
    assert len(full) >= 2
    one, other = (copy.child("shards").read(name) for name in full[:2])
    copy.child("shards").write_bytes(full[0], other)
    copy.child("shards").write_bytes(full[1], one)
    said = failed(copy, sample=1)
    assert any("lies in the shard of another repository" in line for line in said["joined files"])


def test_shards_that_say_nothing_of_transforms_beside_others_are_found(joined, tmp_path):
    shutil.copytree(joined.local, tmp_path / "copy")
    copy = Place(str(tmp_path / "copy"))
    name = next(shard.name for shard in ShardSet(copy.url).shards if shard.rows)
    shard = ShardSet(copy.url).shards[ShardSet(copy.url).names.index(name)]
    schema = pa.schema(list(shard.reader.schema)[:5], shard.reader.schema.metadata)
    batches = [batch.select(schema.names).replace_schema_metadata(schema.metadata) for batch in shard.batches]
    write_arrow(copy.child("shards"), name, batches, schema)
    said = failed(copy, sample=1)
    assert "shards: some note transforms of their documents and some do not" in said["rows and spans"]


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    tokenizer = make_tokenizer(
        TokenizerConfig(vocab_size=400, special_tokens=("<fim_prefix>", "<fim_middle>", "<fim_suffix>")),
        list(FILES.values()),
    )
    return Spelling(tokenizer, TransformConfig(InfillConfig(rate=1.0)))


def a_document(spelling: Spelling, form: int) -> tuple[np.ndarray, Expected, Noted]:
    text, lead = FILES["f00.py"], np.array([1, 2, 3])
    cuts = Cuts(np.array([form]), np.array([10]), np.array([90]))
    body = encode_infilled([text], cuts, spelling.tokenizer, spelling.transforms.infill).ids
    if form == PLAIN:
        body, _ = spelling.tokenizer.encode_batch(pa.array([text], pa.large_string()))
    ids = np.concatenate([lead, body, [spelling.tokenizer.eot_id]])
    return ids, Expected(text, lead, body), Noted(form, 3, len(ids), True)


@pytest.mark.parametrize("form", [PLAIN, PSM, SPM])
def test_every_single_id_counts(spelling, form):
    """One id replaced by another one, at every fifth place of the document: always something is said."""
    ids, expected, noted = a_document(spelling, form)
    assert list(spelling.problems(ids, expected, noted)) == []
    assert spelling.text(ids, noted) == expected.text
    for at in range(0, len(ids), 5):
        changed = ids.copy()
        changed[at] = changed[at] % 200 + 1
        assert list(spelling.problems(changed, expected, noted)), at


@pytest.mark.parametrize("form", [PLAIN, PSM, SPM])
@pytest.mark.parametrize("kept", [0, 2, 3, 9, 60])
def test_the_beginning_of_a_document_is_compared(spelling, form, kept):
    ids, expected, noted = a_document(spelling, form)
    assert list(spelling.problems(ids[:kept], expected, noted)) == []
    if kept:
        changed = ids[:kept].copy()
        changed[-1] = changed[-1] % 200 + 1
        assert list(spelling.problems(changed, expected, noted))


def test_text_that_cannot_be_put_back_is_no_text(spelling):
    ids, _, noted = a_document(spelling, PSM)
    assert spelling.text(ids[:9], noted) is None
    assert spelling.text(np.array([10**6]), None) is None

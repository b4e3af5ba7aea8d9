"""Transforms in builds: fill-in-the-middle, prefixes, repositories as one document; the same for any workers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from columns.errors import RecipeError
from columns.files import Place
from columns.tables import read_table
from pipelines.dataset import Dataset, Names
from pipelines.nodes import FunctionNodes
from pipelines.redacting import Texts
from shards import ShardSet, load_tokenizer, read_manifest, verify
from shards.infilling import InfillConfig, original_text
from syntax import SyntaxConfig
from tests.pipelines.building import assert_same, build
from tests.pipelines.corpus import write_tree
from tests.pipelines.test_shard import FILES, SMALL, TRAIN

SPECIAL = "<fim_prefix>, <fim_middle>, <fim_suffix>, <file_sep>, <reponame>, <filename>, <gh_stars>"
TRAINED = TRAIN.replace("400", f"400, special_tokens: [{SPECIAL}]")
PACK = "pack: {{seq_len: {seq_len}, shard_tokens: 4096, validation_fraction: 0.2, method: {method}, tail: {tail}}}\n"
ALICE = 'def mail():\n    """Ask alice@corp.de."""\n    return "alice@corp.de"\n'


def recipe(
    transforms: str, *, seq_len: int = 256, method: str = "concat", tail: str = "pool", more: str = ""
) -> str:
    return (
        SMALL
        + PACK.format(seq_len=seq_len, method=method, tail=tail)
        + TRAINED
        + f"transforms: {transforms}\n"
        + more
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transforms")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "tree", FILES)


def texts_of(place: Place) -> dict[bytes, str]:
    """What goes into shards, by document: redacted and cut."""
    dataset = Dataset(place)
    names = Names(dataset.parts())
    found = {}
    for part in range(names.count):
        for batch in Texts(dataset, names)(part, ["doc_id", "content"]):
            found |= dict(
                zip(batch.column("doc_id").to_pylist(), batch.column("content").to_pylist(), strict=True)
            )
    return found


def noted(place: Place) -> dict[bytes, tuple[int, tuple[int, int], int]]:
    """Each document's form, cuts and prefix, which every piece of it repeats."""
    found: dict[bytes, set] = {}
    for shard in ShardSet(place.url).shards:
        for batch in shard.batches:
            names = ("doc_ids", "doc_forms", "doc_cuts", "doc_prefixes")
            for row in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                for doc_id, form, cuts, prefix in zip(*row, strict=True):
                    found.setdefault(doc_id, set()).add((form, tuple(cuts), prefix))
    assert all(len(one) == 1 for one in found.values())
    return {doc_id: one.pop() for doc_id, one in found.items()}


def assert_comes_back(place: Place, config: InfillConfig) -> dict[bytes, tuple[int, tuple[int, int], int]]:
    """Every document of the shards is, put together again, the text that went in; returns the notes."""
    tokenizer, texts, notes = load_tokenizer(place.child("tokenizer")), texts_of(place), noted(place)
    seen = set()
    for document in ShardSet(place.url).documents():
        form, (start, end), prefix = notes[document.doc_id]
        assert document.complete
        ids = document.ids[prefix:]
        ids = ids[:-1] if len(ids) and ids[-1] == tokenizer.eot_id else ids
        text = texts[document.doc_id]
        assert original_text(ids, form, tokenizer, config) == text
        assert 0 <= start <= end <= len(text)
        assert form or (start, end) == (0, 0)
        seen.add(document.doc_id)
    tokens = json.loads(place.read("manifest.json"))["tokens"]
    assert len(seen) == tokens["documents"]
    assert tokens["produced"] == tokens["written"] + sum(tokens["dropped"].values())
    assert tokens["produced"] == sum(tokens["by_split"].values()) == sum(tokens["by_language"].values())
    assert verify(place, read_manifest(place)) == []
    forms = [form for form, _, _ in notes.values()]
    for name, form in (("plain", 0), ("psm", 1), ("spm", 2)):
        assert tokens["forms"][name] == forms.count(form)
    return notes


@pytest.mark.parametrize(("method", "tail"), [("concat", "pool"), ("best_fit", "drop"), ("single", "drop")])
def test_documents_in_context_are_rearranged_and_none_of_them_is_cut(folder, tree, method, tail):
    place = build(
        folder,
        folder / f"context-{method}",
        [tree],
        text=recipe("{infill: {rate: 0.9}}", seq_len=1100, method=method, tail=tail),
    )
    notes = assert_comes_back(place, InfillConfig(rate=0.9))
    pieces = [
        piece for shard in ShardSet(place.url).shards for doc in shard.pieces().items() for piece in doc[1:]
    ]
    assert pieces
    for shard in ShardSet(place.url).shards:
        for doc_id, found in shard.pieces().items():
            assert not notes[doc_id][0] or len(found) == 1
    forms = [form for form, _, _ in notes.values()]
    assert {1, 2} <= set(forms)
    assert (method == "single") or 0 in forms


def test_documents_are_rearranged_before_they_are_cut(folder, tree):
    config = InfillConfig(rate=1.0, level="document", spm_share=1.0)
    place = build(
        folder,
        folder / "document",
        [tree],
        text=recipe("{infill: {rate: 1.0, level: document, spm_share: 1.0}}", seq_len=64),
    )
    notes = assert_comes_back(place, config)
    assert {form for form, _, _ in notes.values()} == {2}


def test_functions_are_the_middle(folder):
    text = 'NAME = "é{n}"\n\n\ndef first_{n}(x):\n    return x + {n}\n\n\ndef second_{n}(y):\n    return y * {n}\n'
    files = {f"n{n}.py": text.format(n=n) for n in range(12)}
    tree = write_tree(folder / "nodes", files)
    text = recipe("{infill: {rate: 1.0, unit: node, level: document}}")
    place = build(
        folder,
        folder / "node-out",
        [tree],
        text=text.replace("extends: codex", "extends: codex\ndedup: {near: false}"),
    )
    notes, texts = (
        assert_comes_back(place, InfillConfig(rate=1.0, unit="node", level="document")),
        texts_of(place),
    )
    for doc_id, (_, (start, end), _) in notes.items():
        assert texts[doc_id][start:end].startswith(("def first_", "def second_"))
        assert "\n\n\n" not in texts[doc_id][start:end]


def test_any_workers_and_batches_give_the_same_bytes(folder, tree):
    text = recipe("{infill: {rate: 0.9}, prefix: {path: 0.5}, repository: {join: true, token: <file_sep>}}")
    one = build(folder, folder / "one", [tree], text=text)
    other = build(folder, folder / "other", [tree], workers=3, batch_bytes=3000, text=text)
    assert_same(one, other)


def test_files_of_a_repository_are_one_document_in_import_order(folder):
    files = {
        "repo/z.py": "VALUE = 1\n" * 4, "repo/m.py": "import z\n\nMORE = z.VALUE\n" * 3,
        "repo/a.py": "import m\nfrom z import VALUE\n\nprint(m.MORE, VALUE)\n" * 3, "repo/b.py": "print(17)\n" * 9,
    }  # fmt: skip
    tree = write_tree(folder / "imports", files)
    text = recipe("{repository: {join: true}}", seq_len=32).replace("0.2", "0.0")
    place = build(
        folder,
        folder / "joined",
        [tree],
        text=text.replace("extends: codex", "extends: codex\ndedup: {near: false}"),
    )
    notes = assert_comes_back(place, InfillConfig())
    dataset, tokenizer = Dataset(place), load_tokenizer(place.child("tokenizer"))
    paths = {}
    for part in range(dataset.parts()):
        for batch in read_table(dataset.documents, Names(dataset.parts()).part(part), ["doc_id", "path"]):
            paths |= dict(zip(*(batch.column(name).to_pylist() for name in ("doc_id", "path")), strict=True))
    documents = list(ShardSet(place.url, split="train").documents())
    assert [paths[one.doc_id] for one in documents] == [
        "repo/b.py", "repo/z.py", "repo/m.py", "repo/a.py",
    ]  # fmt: skip
    ends = [one.ids[-1] == tokenizer.eot_id for one in documents]
    assert ends == [False, False, False, True]
    for one in documents:
        assert tokenizer.decode(one.ids[: notes[one.doc_id][2]]) == f"# {paths[one.doc_id]}\n"
        assert ShardSet(place.url).find(one.doc_id)
    assert json.loads(place.read("manifest.json"))["tokens"]["forms"]["joined"] == 3


def test_what_was_redacted_stays_so(folder):
    tree = write_tree(folder / "secrets", {**FILES, "mail.py": ALICE})
    text = recipe(
        "{infill: {rate: 1.0}, prefix: {language: 1.0}}", seq_len=2048, more="privacy: {find: true}\n"
    )
    place = build(folder, folder / "redacted", [tree], text=text)
    assert_comes_back(place, InfillConfig(rate=1.0))
    tokenizer = load_tokenizer(place.child("tokenizer"))
    whole = "".join(tokenizer.decode(document.ids) for document in ShardSet(place.url).documents())
    assert "alice" not in whole
    assert "# language: python\n" in whole


def test_a_missing_special_token_is_said_before_anything_is_read(folder, tree):
    text = SMALL + TRAIN + "transforms: {infill: {rate: 0.9}}\n"
    with pytest.raises(RecipeError, match="no special token '<fim_prefix>'") as found:
        build(folder, folder / "missing", [tree], text=text)
    assert "tokenizer.special_tokens: ['<fim_prefix>', '<fim_middle>', '<fim_suffix>']" in str(
        found.value.hint
    )
    assert not (folder / "missing" / "documents").exists()


def test_nodes_are_counted_in_characters(library_batch):
    spans = FunctionNodes(SyntaxConfig())(library_batch)
    assert len(spans) == library_batch.num_rows
    texts = library_batch.column("content").to_pylist()
    assert [texts[0][start:end] for start, end in spans[0]] == ["def é():\n    return 'ü'"]
    assert spans[1] == []
    assert [texts[2][start:end].split("(")[0] for start, end in spans[2]] == ["class A:\n    def f", "def f"]


@pytest.fixture
def library_batch():
    from columns.testing import documents

    texts = [
        "x = 'é'\n\ndef é():\n    return 'ü'\n",
        None,
        "'🎉'\nclass A:\n    def f(self):\n        return 1\n",
    ]
    return documents([None, *texts]).slice(1)


def test_datasets_without_transforms_are_as_they_were(folder, tree):
    place = build(folder, folder / "plain", [tree], text=SMALL + TRAIN)
    shard = ShardSet(place.url).shards[0]
    assert shard.batches[0].schema.names == ["input_ids", "n_tokens", "doc_ids", "doc_starts", "doc_offsets"]
    assert "forms" not in json.loads(place.read("manifest.json"))["tokens"]
    assert np.all([name in shard.metadata for name in ("thresher.eot", "thresher.pooled")])

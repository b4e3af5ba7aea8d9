from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sources
from columns.document import DOCUMENT, document_batch
from columns.hashing import doc_id
from columns.testing import assert_batch_law
from sources import IngestConfig, complete
from sources.unit import UNIT_BYTES, UNIT_FILES, chunks

texts = st.lists(st.none() | st.text(max_size=20), max_size=10)


@given(texts, st.integers(0, 10))
def test_batch_law(contents: list[str | None], cut: int) -> None:
    columns = {"content": contents, "path": [f"{i}.py" for i in range(len(contents))]}
    batch = document_batch(columns, len(contents))
    assert_batch_law(complete, batch, cut)


def test_values() -> None:
    done = complete(
        document_batch({"repo": ["r", "r"], "path": ["é.py", "b"], "content": ["é", None]}, 2)
    ).to_pylist()
    digest = hashlib.sha256("é".encode()).digest()
    assert done[0]["content_hash"] == digest
    assert done[0]["doc_id"] == doc_id("r", None, "é.py", digest)
    assert (done[0]["size"], done[0]["language"]) == (2, "python")
    assert done[1]["doc_id"] == doc_id("r", None, "b", None)
    assert all(done[1][name] is None for name in ("content_hash", "size", "language"))


def test_stated_values_stay() -> None:
    batch = document_batch({"content": ["x"], "size": [99], "language": ["go"], "path": ["a.py"]}, 1)
    done = complete(batch)
    assert (done.column("size")[0].as_py(), done.column("language")[0].as_py()) == (99, "go")
    assert done.schema == DOCUMENT
    assert complete(done).equals(done)


@given(st.lists(st.tuples(st.integers(), st.integers(0, UNIT_BYTES)), max_size=40))
def test_chunks_keep_everything_in_order(items: list[tuple[int, int]]) -> None:
    runs = list(chunks(items))
    assert [item for run, _ in runs for item in run] == [item for item, _ in items]
    assert sum(size for _, size in runs) == sum(size for _, size in items)
    assert all(size <= UNIT_BYTES for _, size in runs)


def test_chunks_are_bounded_in_files() -> None:
    assert [len(run) for run, _ in chunks((i, 0) for i in range(UNIT_FILES + 1))] == [UNIT_FILES, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ("Python",)}, "expected 'python'"),
        ({"max_bytes": 0}, "at least 1"),
        ({"columns": (("contnet", "x"),)}, "got 'contnet'"),
        ({"columns": (("content", "x"), ("content", "y"))}, "each document column once"),
    ],
)
def test_impossible_configurations(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IngestConfig(**options)


def test_config_is_plain_data() -> None:
    config = IngestConfig(languages=("python",), columns=(("content", "x"),))
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(IngestConfig(languages=("python",), columns=(("content", "x"),)))


def test_public_names() -> None:
    assert all(hasattr(sources, name) for name in sources.__all__)

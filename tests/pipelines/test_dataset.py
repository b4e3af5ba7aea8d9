"""The dataset directory: folders and names of parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import OutputError
from columns.files import PartName, Place
from pipelines.dataset import Dataset, Names
from pipelines.stage import COMMIT

FOLDERS = ("documents", "facts", "links", "ledger", "tokenizer", "tokens", "shards")


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("url", ["some/set", "memory://some/set", "gs://bucket/set/"])
def test_every_folder_lies_below_the_place(name, url):
    assert getattr(Dataset(Place(url)), name).url == f"{url.rstrip('/')}/{name}"


def test_scratch_is_hidden_and_below_the_place():
    assert Dataset(Place("a")).work.url == "a/.work"


def test_the_parts_are_those_of_the_commit(tmp_path):
    dataset = Dataset(Place(str(tmp_path)))
    dataset.documents.write_bytes(COMMIT, b'{"outputs": [{"name": "a"}, {"name": "b"}]}')
    assert dataset.parts() == 2


def test_without_an_ingest_there_are_no_parts(tmp_path):
    with pytest.raises(OutputError, match="no finished ingest") as error:
        Dataset(Place(str(tmp_path))).parts()
    assert error.value.hint == "run: thresher build RECIPE …"


@given(count=st.integers(1, 200_000), data=st.data())
def test_names_of_parts_can_be_read_back(count, data):
    index, names = data.draw(st.integers(0, count - 1)), Names(count)
    made = [names.part(index), names.signatures(index), names.overlaps(index), names.tokens(index)]
    made += [names.link(kind, index) for kind in ("exact", "edges", "buckets")]
    assert len(set(made)) == len(made)
    for name in made:
        parsed = PartName.parse(name)
        assert (parsed.index, parsed.count) == (index, count)


def test_names_are_as_documented():
    names = Names(3)
    assert names.part(1) == "part-00001-of-00003.parquet"
    assert names.signatures(1) == "signatures-00001-of-00003.arrow"
    assert names.overlaps(0) == "overlaps-00000-of-00003.parquet"
    assert names.link("edges", 2) == "edges-00002-of-00003.parquet"
    assert names.tokens(2) == "part-00002-of-00003.arrow"

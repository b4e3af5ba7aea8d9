"""What became of the repositories of a list: kept beside a dataset, and told by ``explain``."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from columns.errors import OutputError
from columns.files import Place
from pipelines.dataset import REPOSITORIES, Dataset
from pipelines.finished import Finished
from pipelines.ingest import Inputs, write_repositories
from pipelines.lookup import find, outcome
from sources import Listing
from sources.github.outcomes import OUTCOMES, outcomes
from sources.github.states import State

STATES = (
    State("b/gone", "gone", "404"),
    State("a/good", "done", commit="c" * 40),
    State("old/name", "moved", now="new/name", commit="d" * 40),
)


class Named(Finished):
    """A dataset without files, beside which there may be outcomes."""

    def parts(self):
        return []


def inputs(*listings: Listing) -> Inputs:
    return Inputs((), (), {}, 0, "", {}, listings)


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return Dataset(Place(str(tmp_path / "set")))


def test_outcomes_of_all_lists_are_one_table_by_name(dataset):
    first, second = outcomes(STATES[:1], {}), outcomes(STATES[1:], {})
    write_repositories(dataset, inputs(Listing(repositories=first), Listing(), Listing(repositories=second)))
    found = pq.read_table(f"{dataset.place.url}/{REPOSITORIES}")
    assert found.schema.equals(OUTCOMES)
    assert found.column("repo").to_pylist() == ["a/good", "b/gone", "old/name"]
    assert found.column("ref").to_pylist() == ["c" * 40, None, "d" * 40]


def test_the_same_bytes_in_any_order(dataset):
    one, other = outcomes(STATES, {}), outcomes(STATES[::-1], {})
    write_repositories(dataset, inputs(Listing(repositories=one)))
    before = dataset.place.read(REPOSITORIES)
    write_repositories(dataset, inputs(Listing(repositories=other)))
    assert dataset.place.read(REPOSITORIES) == before


def test_without_lists_there_is_no_table(dataset):
    write_repositories(dataset, inputs(Listing(repositories=outcomes(STATES, {}))))
    write_repositories(dataset, inputs(Listing()))
    assert not dataset.place.exists(REPOSITORIES)


def test_no_repository_at_all_is_an_empty_table(dataset):
    write_repositories(dataset, inputs(Listing(repositories=outcomes((), {}))))
    assert pq.read_table(f"{dataset.place.url}/{REPOSITORIES}").num_rows == 0


@pytest.fixture
def told(dataset) -> Named:
    write_repositories(dataset, inputs(Listing(repositories=outcomes(STATES, {"a/good": "too_large"}))))
    return Named(dataset.place, {})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("b/gone", "b/gone: gone (404), so no file of this repository is in the dataset"),
        ("B/Gone:src/a.py", "b/gone: gone (404), so no file"),
        ("a/good", "a/good: too_large, so no file"),
        ("old/name:x.py", f"old/name, today new/name: read at commit {'d' * 40}; no file has this name"),
        ("nobody/nothing", ""),
        ("a.py", ""),
    ],
)
def test_explain_says_what_became_of_a_repository(told, name, said):
    assert outcome(told, name).startswith(said) if said else outcome(told, name) == ""


def test_a_name_that_is_no_file_gets_its_repositorys_outcome(told):
    with pytest.raises(OutputError, match=r"b/gone: gone \(404\)") as caught:
        find(told, "b/gone")
    assert REPOSITORIES in caught.value.hint


def test_names_are_harmless_to_show(dataset):
    table = pa.Table.from_pylist([{"repo": "a/\x1b[31mb", "state": "gone"}], OUTCOMES)
    write_repositories(dataset, inputs(Listing(repositories=table)))
    assert "\x1b" not in outcome(Named(dataset.place, {}), "a/\x1b[31mb")

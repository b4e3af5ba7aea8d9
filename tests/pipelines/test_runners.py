"""Runners: names in any spelling, and the ones that must not be used."""

import pytest
from apache_beam.runners import create_runner

from columns.errors import EnvironmentProblem
from pipelines.runners import LOCAL_RUNNERS, RUNNERS, known_runner
from tests.pipelines.building import ROOT

USABLE = [known for known in RUNNERS.values() if not known.refused]


@pytest.mark.parametrize("known", USABLE, ids=lambda known: known.name)
def test_every_spelling_of_a_name_is_the_same_runner(known):
    short = known.name.removesuffix("Runner")
    for spelling in (known.name, known.name.lower(), short, short.lower(), short.upper()):
        assert known_runner(spelling) == known


@pytest.mark.parametrize("name", [known.name for known in USABLE if known.name not in LOCAL_RUNNERS])
def test_every_usable_runner_is_one_of_beams(name):
    assert type(create_runner(name)).__name__ == name


def test_a_slip_of_the_pen_is_told():
    with pytest.raises(EnvironmentProblem, match="dataflow") as refused:
        known_runner("DataflwRunner")
    assert "did you mean dataflow?" in str(refused.value)


def test_a_name_of_nobody_lists_the_choice():
    with pytest.raises(EnvironmentProblem, match="no runner of that name") as refused:
        known_runner("zzz")
    assert all(known.name.removesuffix("Runner").lower() in str(refused.value) for known in USABLE[2:])


@pytest.mark.parametrize("spelling", ["dask", "DaskRunner"])
def test_the_runner_that_loses_files_is_refused_and_told_why(spelling):
    with pytest.raises(EnvironmentProblem, match="only one of two sinks") as refused:
        known_runner(spelling)
    assert "--runner portable" in str(refused.value)


def test_what_was_never_run_says_so():
    said = {known.name for known in RUNNERS.values() if known.caveat}
    assert said == {"FlinkRunner", "SparkRunner", "PrismRunner"}


def test_the_page_of_engines_has_a_section_for_each():
    page = (ROOT / "docs" / "engines.md").read_text("utf-8")
    assert all(known.name in page for known in RUNNERS.values())

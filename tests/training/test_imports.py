from __future__ import annotations

import subprocess
import sys

import pytest

import training
from columns.errors import EnvironmentProblem
from training.extra import require

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["ray", "ray.data", "torch"]))
import training
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_room_loads_neither_ray_nor_torch_nor_beam():
    heavy = "{'ray', 'torch', 'apache_beam', 'numba'}"
    done = python(f"import sys, training; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "use",
    [
        "training.read_shards",
        "training.ShardDatasource",
        "next(training.iter_batches([], training.BatchConfig(1)))",
    ],
)
def test_without_the_extra_the_cure_is_named(use):
    done = python(f"{WITHOUT}{use}")
    assert "columns.errors.EnvironmentProblem: training needs " in done.stderr
    assert "hint: pip install 'thresher[train]'" in done.stderr


def test_listing_shards_needs_no_extra(dataset):
    done = python(f"{WITHOUT}print(len(training.shard_files({str(dataset)!r})))")
    assert done.stdout == "3\n"


def test_require_names_the_package():
    with pytest.raises(EnvironmentProblem, match="training needs no_such_package, which"):
        require("no_such_package.inner")


def test_public_names():
    assert dir(training) == sorted(training.__all__)
    for name in training.__all__:
        assert getattr(training, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        training.nothing  # noqa: B018

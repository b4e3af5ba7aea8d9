"""Runs: the keys that repeat, and where runs of equal keys begin."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.runs import repeated, run_starts

KEYS = st.lists(st.integers(0, 5) | st.sampled_from([2**63, 2**64 - 1]), max_size=20)


@given(KEYS)
def test_repeated(keys):
    count = Counter(keys)
    assert repeated(np.array(keys, np.uint64)).tolist() == [i for i, key in enumerate(keys) if count[key] > 1]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20))
def test_run_starts_of_composite_keys(pairs):
    pairs.sort()
    columns = np.array(pairs, np.int64).reshape(-1, 2).T
    sizes = [len(list(run)) for _, run in groupby(pairs)]
    assert np.diff(run_starts(*columns)).tolist() == sizes
    assert run_starts(*columns)[0] == 0

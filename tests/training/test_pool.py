from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.pool import Pool


def test_memory_that_nobody_holds_is_used_again():
    pool = Pool()
    first = pool.empty((4, 5), np.int64)
    address = first.ctypes.data
    del first
    assert pool.empty((4, 5), np.int64).ctypes.data == address


@pytest.mark.parametrize(
    "hold", [lambda array: array, lambda array: array[1:], lambda array: array.ravel().T]
)
def test_memory_that_is_held_is_not(hold):
    pool = Pool()
    held = hold(pool.empty((4, 5), np.int64))
    held[:] = 7
    pool.empty((4, 5), np.int64)[:] = 0
    assert (held == 7).all()


def test_a_tensor_holds_its_memory():
    torch = pytest.importorskip("torch")
    pool = Pool()
    tensor = torch.from_numpy(pool.empty((4,), np.int64))[:2]
    tensor[:] = 7
    pool.empty((4,), np.int64)[:] = 0
    assert tensor.tolist() == [7, 7]


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=60))
def test_arrays_that_are_held_never_overlap(steps):
    """Each step takes an array of some size, and perhaps drops the oldest one."""
    pool, held = Pool(), []
    for number, (size, drop) in enumerate(steps):
        array = pool.empty((size,), np.int64)
        array[:] = number
        held.append((number, array))
        if drop:
            held.pop(0)
        del array
        assert all((kept == wanted).all() for wanted, kept in held)


def test_what_is_kept_is_bounded():
    pool = Pool()
    arrays = [pool.empty((3,), np.int64) for _ in range(50)]
    assert len(arrays) == 50
    assert sum(map(len, pool._held.values())) == 8
    for size in range(100):
        pool.empty((size,), np.int64)
    assert len(pool._held) <= 17


def test_threads_never_share_an_array():
    pool = Pool()

    def work(number: int) -> bool:
        fine = True
        for _ in range(200):
            array = pool.empty((64,), np.int64)
            array[:] = number
            fine &= bool((array == number).all())
        return fine

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))


def test_types_are_kept_apart():
    pool = Pool()
    assert pool.empty((2,), np.int32).dtype == np.int32
    assert pool.empty((2,), np.int64).dtype == np.int64


def test_it_is_sent_empty():
    pool = Pool()
    pool.empty((2,), np.int64)
    assert pickle.loads(pickle.dumps(pool))._held == {}

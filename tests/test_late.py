"""Numbers that are read anew in every repetition."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from xpconv._late import Late, Table, Unrepeatable, from_host, in_eights, side_by_side

OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)


def table(backend: Library) -> Table:
    def write(target: Any, values: np.ndarray) -> None:
        target[...] = backend.array(values)

    return Table(backend.backend, write)


LIBRARIES = pytest.mark.parametrize("backend", ["numpy", "torch", "cupy"], indirect=True)


@pytest.mark.parametrize("op", OPERATIONS)
def test_arithmetic_of_numbers(op: Any) -> None:
    now = [3.0]
    number = Late(lambda: now[0])
    made = (op(number, 2.0), op(2.0, number), op(number, number))
    for value in (3.0, 0.5):
        now[0] = value
        assert [each.value() for each in made] == [op(value, 2.0), op(2.0, value), op(value, value)]
    assert (1 - 0.9 ** Late(lambda: 3)).value() == 1 - 0.9**3


@LIBRARIES
@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arithmetic_with_arrays(backend: Library, op: Any, dtype: str) -> None:
    """The bits of a plain number, and those of another one when it has changed."""
    x = backend.array(np.linspace(0.1, 2, 5), dtype)
    now, made = [0.1], table(backend)
    with made.in_force(recording=False):
        number = Late(lambda: now[0])
        backend.assert_equal(op(x, number), op(x, 0.1))
        backend.assert_equal(op(number, x), op(0.1, x))
    held = number.beside  # its place stays
    with made.in_force(recording=True):
        place = held(x)
    now[0] = 0.3
    made.write()
    backend.assert_equal(place, np.asarray(0.3, dtype))


@LIBRARIES
def test_bits_of_integers(backend: Library) -> None:
    x = backend.array(np.arange(5) * 2**33)
    with table(backend).in_force(recording=False):
        word = Late(lambda: 0xFFFF_FFFE)
        backend.assert_equal(x ^ ((word + 3) & 0xFFFF_FFFF), x ^ 1)
        backend.assert_equal((word | 1) ^ x, x ^ 0xFFFF_FFFF)


@pytest.mark.parametrize(
    "use", [bool, float, int, round, complex, lambda n: n > 1, lambda n: n == 1, lambda n: [0][n]]
)
def test_looking_at_one_is_refused(use: Any) -> None:
    with pytest.raises(Unrepeatable, match="decides by a number that changes from step to step"):
        use(Late(lambda: 1))


def test_outside_of_a_step_there_is_no_place() -> None:
    for use in (lambda n: n * np.ones(2), lambda n: side_by_side([n], "float32")):
        with pytest.raises(Unrepeatable, match="used outside of it"):
            use(Late(lambda: 1.0))
    assert side_by_side([1.0, 2.0], "float32") is None


@LIBRARIES
def test_many_numbers_have_places_of_their_own(backend: Library) -> None:
    now, made = [0.0], table(backend)

    def step() -> list[Any]:
        numbers = [Late(lambda k=k: now[0] + k) for k in range(700)]
        pairs = [side_by_side([n, 7.0], "float32") for n in numbers[600:]]
        return [n.beside(pairs[0]) for n in numbers[:600]] + pairs

    with made.in_force(recording=False):
        step()
    with made.in_force(recording=True):
        places = step()
    for now[0] in (5.0, 100.0):
        made.write()
        for k in (0, 255, 256, 599):
            backend.assert_equal(places[k], np.float32(now[0] + k))
        backend.assert_equal(places[-1], np.asarray([now[0] + 699, 7], np.float32))


@LIBRARIES
def test_a_recorded_step_asks_for_what_the_one_before_did(backend: Library) -> None:
    x, made = backend.array(1.0), table(backend)
    with made.in_force(recording=False):
        Late(lambda: 1.0).beside(x)
        sent = from_host(backend.xp, [1.0, 2.0], x.dtype, backend.device)
    with made.in_force(recording=True):
        assert from_host(backend.xp, [1.0, 2.0], x.dtype, backend.device) is sent
        Late(lambda: 1.0).beside(x)
        with pytest.raises(Unrepeatable, match="more numbers of the host"):
            Late(lambda: 1.0).beside(x)
        with pytest.raises(Unrepeatable, match="more arrays of the host"):
            from_host(backend.xp, [1.0], x.dtype, backend.device)


def test_eights() -> None:
    sizes: list[int] = []

    def join(arrays: list[np.ndarray]) -> np.ndarray:
        sizes.append(len(arrays))
        return np.concatenate(arrays)

    parts = [np.asarray([k]) for k in range(70)]
    np.testing.assert_array_equal(in_eights(join, parts), np.arange(70))
    assert sizes == [70]
    from xpconv import get_backend

    with Table(get_backend("numpy")).in_force(recording=False):
        np.testing.assert_array_equal(in_eights(join, parts), np.arange(70))
    assert max(sizes[1:]) == 8


def test_a_table_without_numbers() -> None:
    from xpconv import get_backend

    with (
        Table(get_backend("numpy")).in_force(recording=False),
        pytest.raises(Unrepeatable, match="no numbers of the host"),
    ):
        Late(lambda: 1.0) * np.ones(2)

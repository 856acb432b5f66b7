"""Random numbers: Philox against its known answers, and streams that can be stopped and resumed."""

from __future__ import annotations

import itertools
import json
import threading

import numpy as np
import pytest

import xpconv
from tests import reference
from tests.backends import Library
from xpconv.random import Stream, current_stream, manual_seed, random_bits, use_stream

KEYS = [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0xA4093822, 0x299F31D0), (1, 2)]


def bits(backend: Library, key: tuple[int, int], shape: tuple[int, ...]):
    return random_bits(key, shape, xp=backend.xp, device=backend.device)


def test_the_first_known_answer(backend: Library) -> None:
    _, key, answer = reference.PHILOX_KNOWN_ANSWERS[0]
    backend.assert_equal(bits(backend, key, (4,)), np.array(answer, dtype="int64"))


@pytest.mark.parametrize("key", KEYS)
def test_every_block_is_philox_of_its_number(backend: Library, key: tuple[int, int]) -> None:
    blocks = [reference.philox4x32((number, 0, 0, 0), key) for number in range(7)]
    expected = np.array(list(itertools.chain(*blocks)), dtype="int64")
    backend.assert_equal(bits(backend, key, (28,)), expected)
    backend.assert_equal(bits(backend, key, (5, 5)), expected[:25].reshape(5, 5))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 3, 5)])
def test_any_shape(backend: Library, shape: tuple[int, ...]) -> None:
    y = bits(backend, (1, 2), shape)
    assert tuple(y.shape) == shape
    assert backend.owns(y)


def test_bits_are_even(backend: Library) -> None:
    values = np.asarray(xpconv.to_numpy(bits(backend, (7, 8), (20_000,))))
    assert values.min() >= 0
    assert values.max() < 2**32
    for place in range(32):
        assert abs(np.mean((values >> place) & 1) - 0.5) < 0.02


def test_keys_never_repeat() -> None:
    stream = Stream(3)
    keys = [stream.next_key() for _ in range(500)]
    assert len(set(keys)) == 500
    assert set(keys).isdisjoint(Stream(4).next_key() for _ in range(500))
    assert all(0 <= word < 2**32 for key in keys for word in key)


def test_the_same_seed_is_the_same_stream() -> None:
    one, two = Stream(5), Stream(5)
    assert one.next_key() == two.next_key()
    np.testing.assert_array_equal(one.generator.normal(size=9), two.generator.normal(size=9))


def test_state_survives_json() -> None:
    stream = Stream(11)
    stream.next_key()
    stream.generator.normal(size=3)
    state = json.loads(json.dumps(stream.state_dict()))
    numbers, keys = stream.generator.normal(size=5), [stream.next_key() for _ in range(3)]
    other = Stream(0)
    other.load_state_dict(state)
    assert other.seed == 11
    np.testing.assert_array_equal(other.generator.normal(size=5), numbers)
    assert [other.next_key() for _ in range(3)] == keys


def test_a_state_is_a_snapshot() -> None:
    stream = Stream(11)
    before = json.dumps(state := stream.state_dict())
    stream.next_key()
    stream.generator.normal(size=3)
    assert json.dumps(state) == before


def test_numbers_and_keys_do_not_disturb_each_other() -> None:
    one, two = Stream(5), Stream(5)
    two.generator.normal(size=100)
    assert one.next_key() == two.next_key()
    np.testing.assert_array_equal(Stream(5).generator.normal(size=9), one.generator.normal(size=9))


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None, True])
def test_a_seed_is_a_natural_number(seed: object) -> None:
    with pytest.raises((TypeError, ValueError), match="seed"):
        Stream(seed)


def test_numpy_integers_and_large_seeds() -> None:
    assert Stream(np.int64(7)).next_key() == Stream(7).next_key()
    assert Stream(2**80).next_key() != Stream(0).next_key()


def test_manual_seed_restarts_the_stream_in_force() -> None:
    with use_stream(Stream(0)):
        assert manual_seed(9) is current_stream()
        first = current_stream().next_key()
        xpconv.manual_seed(9)
        assert current_stream().next_key() == first == Stream(9).next_key()


def test_blocks_nest_and_end() -> None:
    outside = current_stream()
    outer, inner = Stream(1), Stream(2)
    with use_stream(outer) as given:
        assert given is outer
        with use_stream(inner):
            assert current_stream() is inner
        assert current_stream() is outer
        with pytest.raises(ZeroDivisionError), use_stream(inner):
            _ = 1 / 0
        assert current_stream() is outer
    assert current_stream() is outside


def test_threads_do_not_see_each_others_block() -> None:
    seen = []
    with use_stream(Stream(1)) as stream:
        thread = threading.Thread(target=lambda: seen.append(current_stream()))
        thread.start()
        thread.join()
    assert seen[0] is not stream

"""Cross entropy in one pass is what the portable code computes, and refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.engines.test_direct import NEEDED
from tests.ops import strategies
from tests.refusals import refused
from xpconv import engines, ops
from xpconv.ops import _loss_cross_entropy as module

pytestmark = NEEDED


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 12)),
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    kind=st.sampled_from(["int64", "int32", "uint8"]),
    ignore_index=st.sampled_from([-100, 0, 3]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    hole=st.sampled_from([0.0, 0.0, 88.0, np.nan, np.inf, -np.inf]),
    seed=strategies.seeds,
)
def test_as_portable(size, dtype, kind, ignore_index, reduction, hole, seed) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=size) * 5).astype(dtype)
    logits[rng.integers(size[0]), rng.integers(size[1])] += hole
    labels = rng.integers(0, size[1], size=size[0]).astype(kind)
    if kind != "uint8":
        labels[rng.random(size[0]) < 0.2] = ignore_index
    options = {"ignore_index": ignore_index, "reduction": reduction}
    found = [ops.vjp(ops.cross_entropy, logits, labels, **options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_plain", lambda *_: None)
        found.append(ops.vjp(ops.cross_entropy, logits, labels, **options))
    (y, back), (expected, expected_back) = found
    close = {"float32": 1e-5, "float64": 1e-13, "float16": 2e-3}[dtype]
    np.testing.assert_allclose(y, expected, rtol=close, atol=close)
    assert y.dtype == expected.dtype == dtype
    dy = np.asarray(rng.normal(size=expected.shape)).astype(dtype)
    gradient, wanted = back(dy)[0], expected_back(dy)[0]
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, wanted, rtol=close, atol=close)


def test_it_is_used_and_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = module._plain
    monkeypatch.setattr(
        module, "_plain", lambda *given: (asked.append(original(*given)), asked[-1])[1]
    )
    labels = np.array([1, 0])
    ops.cross_entropy(np.ones((2, 3), np.float32), labels)
    assert asked.pop() is not None
    ops.cross_entropy(np.ones((2, 9000), np.float32), labels)  # many
    ops.cross_entropy(np.ones((2, 3, 1), np.float32), labels[:, None])  # images
    assert asked == [None, None]
    assert engines.body("label_entropy", np.ones(1, np.int64)) is None


def test_wrong_labels_are_refused() -> None:
    logits = np.ones((2, 3), np.float32)
    for wrong in ([0, 3], [-1, 0]):
        with refused("labels must be in 0 to 2 (or ignore_index=-100)"):
            ops.cross_entropy(logits, np.array(wrong))
    with ops.labels_checked():
        assert ops.cross_entropy(logits, np.array([0, 3])) == pytest.approx(np.log(3))

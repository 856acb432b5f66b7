"""Products, sums, joins and changes of shape."""

from __future__ import annotations

from tests.ops.samples.sample import ALL, PAIR, X2, normal, sample

SHAPES = [
    sample("linear", normal(3, 4), normal(2, 4), normal(2), wanted=ALL),
    sample("linear", normal(2, 3, 4), normal(5, 4), wanted=PAIR),
    sample("linear", normal(4), normal(2, 4), normal(2), wanted=ALL),
    sample("add", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("multiply", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("multiply", normal(*X2), normal(2, 4, 1, 1), wanted=PAIR),
    sample("multiply", normal(4, 1), normal(2, 1, 3), wanted=PAIR),
    sample("concat", normal(2, 3, 4), normal(2, 1, 4), normal(2, 2, 4), wanted=ALL),
    sample("concat", normal(2, 3), normal(4, 3), wanted=PAIR, dim=0),
    sample("flatten", normal(2, 3, 4)),
    sample("flatten", normal(2, 3, 4, 2), start_dim=1, end_dim=2),
    sample("flatten", normal(2, 3, 4), start_dim=0),
]

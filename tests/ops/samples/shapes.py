"""Products, sums, joins and changes of shape."""

from __future__ import annotations

from tests.ops.samples.sample import ALL, PAIR, X1, X2, apart, normal, sample

SHAPES = [
    sample("linear", normal(3, 4), normal(2, 4), normal(2), wanted=ALL),
    sample("linear", normal(2, 3, 4), normal(5, 4), wanted=PAIR),
    sample("linear", normal(4), normal(2, 4), normal(2), wanted=ALL),
    sample("linear", normal(2, 3, 4), normal(4), wanted=PAIR),
    sample("bilinear", normal(3, 4), normal(3, 5), normal(2, 4, 5), normal(2), wanted=range(4)),
    sample("bilinear", normal(2, 3, 4), normal(2, 3, 5), normal(2, 4, 5), wanted=ALL),
    sample("bilinear", normal(4), normal(5), normal(2, 4, 5), normal(2), wanted=range(4)),
    sample("cosine_similarity", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("cosine_similarity", normal(*X1), normal(4, 1), wanted=PAIR, dim=2),
    sample("cosine_similarity", normal(4, 1), normal(3), wanted=PAIR, dim=0),
    *(
        sample("normalize", apart(3, 4, 5), **options)
        for options in (
            {},
            {"dim": (0, -1)},
            {"dim": None, "p": 1},
            {"p": 0, "dim": 2},
            {"p": 0.5},
            {"p": 1.5},
            {"p": 3},
            {"p": -1},
            {"p": float("inf")},
            {"p": -float("inf"), "dim": 2},
            {"eps": 3.0},
        )
    ),
    sample("add", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("multiply", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("multiply", normal(*X2), normal(2, 4, 1, 1), wanted=PAIR),
    sample("multiply", normal(4, 1), normal(2, 1, 3), wanted=PAIR),
    sample("concat", normal(2, 3, 4), normal(2, 1, 4), normal(2, 2, 4), wanted=ALL),
    sample("concat", normal(2, 3), normal(4, 3), wanted=PAIR, dim=0),
    sample("flatten", normal(2, 3, 4)),
    sample("flatten", normal(2, 3, 4, 2), start_dim=1, end_dim=2),
    sample("flatten", normal(2, 3, 4), start_dim=0),
    sample("unflatten", normal(2, 12, 3), dim=1, sizes=(3, -1)),
    sample("unflatten", normal(2, 6), dim=-1, sizes=(1, 2, 3)),
]

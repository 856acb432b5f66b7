"""Products, sums, and changes of shape."""

from __future__ import annotations

from tests.nn.layers import X1, X2, case, twins
from xpconv import nn

SHAPES = [
    twins("Linear", 4, 3, shape=(2, 4)),
    twins("Linear", 4, 3, shape=(4,)),
    twins("Linear", 4, 3, False, shape=(2, 5, 4)),
    twins("Flatten", shape=X2),
    twins("Flatten", 0, 1, shape=X2),
    twins("Identity", shape=X1),
    twins("Unflatten", 1, (2, -1), shape=X2),
    case(lambda: nn.Identity(4, some="thing"), X1),
    case(lambda: nn.Bilinear(4, 5, 3), (2, 4), (2, 5)),
    case(lambda: nn.Bilinear(4, 5, 3, bias=False), (2, 3, 4), (2, 3, 5)),
    case(nn.CosineSimilarity, X1, X1),
    case(lambda: nn.CosineSimilarity(-1, 1e-3), (2, 4), (2, 4)),
    case(nn.PairwiseDistance, (2, 4), (2, 4)),
    case(lambda: nn.PairwiseDistance(1.5, keepdim=True), X1, X1),
    twins("Unfold", 2, 1, 1, 2, shape=X2),
    twins("Unfold", (3, 2), (1, 2), 0, (1, 2), shape=X2),
    twins("Fold", (3, 4), 2, shape=(2, 12, 6)),
    twins("Fold", (5, 4), 2, (2, 1), (1, 0), 2, shape=(2, 8, 6)),
    case(nn.Add, X1, X1),
    case(nn.Add, X1, X1, X1),
    case(nn.Multiply, X2, (2, 4, 1, 1)),
    case(nn.Multiply, X1, X1, (2, 1, 7)),
]

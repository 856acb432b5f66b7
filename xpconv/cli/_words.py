"""Results in words."""

from __future__ import annotations

NOT_FINITE_ADVICE = "its training has diverged: train it again with a smaller --lr"


def accuracy_in_words(accuracy: float, count: int) -> str:
    """Say an accuracy as a share and as a count.

    Examples
    --------
    >>> accuracy_in_words(0.98, 450)
    'test accuracy 98.0 %: 441 of 450 test digits read correctly'
    """
    right = round(accuracy * count)
    return f"test accuracy {100 * accuracy:.1f} %: {right} of {count} test digits read correctly"


def counted(count: int, thing: str) -> str:
    """Say how many there are of a thing.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2, "epoch")
    ('1 epoch', '2 epochs')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"

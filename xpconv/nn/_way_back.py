"""Ways back that can do less than everything, as training wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .._typing import Array

Grads = dict[str, Array]
Backward = Callable[[Any], tuple[Any, Grads]]


class Wish(NamedTuple):
    """What is asked of a way back."""

    input_grad: bool = True
    """Whether the gradient of the input is of use; if not, None may stand for it."""
    last: bool = False
    """Whether the way back is gone for the last time, so that it may let go of what it keeps."""

    @property
    def inside(self) -> Wish:
        """The same, of a layer whose input comes from other layers with parameters."""
        return self if self.input_grad else Wish(True, self.last)


EVERYTHING = Wish()


class WayBack:
    """A layer's way back that knows how to do less: ``run(dy, wish)`` returns ``dx`` and grads.

    Called with a cotangent alone it is complete and pure, as the ``backward`` of any layer.
    """

    __slots__ = ("run",)

    def __init__(self, run: Callable[[Any, Wish], tuple[Any, Grads]]) -> None:
        self.run = run

    def __call__(self, dy: Any) -> tuple[Any, Grads]:
        return self.run(dy, EVERYTHING)


def go_back(backward: Backward | None, dy: Any, wish: Wish) -> tuple[Any, Grads]:
    """Go a way back as wished; that of a user's module takes the cotangent alone."""
    if backward is None:
        raise RuntimeError(
            "this way back was gone for the last time: nn.parameter_gradients lets go of what it "
            "kept; run forward again"
        )
    return backward.run(dy, wish) if isinstance(backward, WayBack) else backward(dy)


def parameter_gradients(backward: Backward, dy: Any) -> Grads:
    """Go a way back for the last time and for the parameters alone, as a training step does.

    Parameters
    ----------
    backward : callable
        What a module's ``forward`` returned.
    dy : array, or tuple of arrays for several outputs
        The cotangent of the output.

    Returns
    -------
    dict of str to array
        What ``backward(dy)[1]`` is.

    Raises
    ------
    RuntimeError
        If the way back was gone like this before.

    Notes
    -----
    The library's layers leave out the gradient of the network's input, which often costs as much
    as a layer's forward pass, and containers let go of each layer's arrays as soon as it is done,
    so that memory shrinks on the way. Modules with a ``forward`` of their own are run as always.

    Examples
    --------
    >>> from xpconv import get_backend, nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> y, backward = layer.forward(get_backend("numpy").asarray([[1.0, 2.0]], dtype="float32"))
    >>> nn.parameter_gradients(backward, y * 0 + 1)
    {'weight': array([[1., 2.]], dtype=float32)}
    """
    return go_back(backward, dy, Wish(input_grad=False, last=True))[1]

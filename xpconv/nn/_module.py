"""The layer: state as plain attributes, a forward pass that hands out its own way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .._arrays import is_array, is_number
from .._typing import Array, DType
from ..backend import Backend, backend_of, get_backend
from ._node import Node
from ._observe import observed
from ._state import load_state
from ._way_back import Backward as Backward, Grads as Grads

if TYPE_CHECKING:
    from ._plan import Planned
    from ._summary import Summary


class Module:
    """A layer or a network.

    A subclass defines ``forward``; where inference can do with less, ``infer`` too. Arrays and
    modules that are plain attributes are its state: arrays are parameters unless their name stands
    in ``buffer_names``. Names that begin with an underscore are left alone. Nothing is cached on
    the layer, so it may be used twice in one network.

    Attributes
    ----------
    buffer_names : tuple of str
        Attributes that are state but not trained, as ``running_mean``.
    float32_names : tuple of str
        Parameters that stay in float32 where a `Trainer` computes in half precision, as those of
        normalisations do.

    Examples
    --------
    >>> from xpconv import get_backend, nn
    >>> class Double(nn.Module):
    ...     def forward(self, x, training=False):
    ...         return x * 2, lambda dy: (dy * 2, {})
    >>> y, backward = Double().forward(get_backend("numpy").asarray([1.0]))
    >>> y, backward(y)
    (array([2.]), (array([4.]), {}))
    """

    buffer_names: ClassVar[tuple[str, ...]] = ()
    float32_names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass's forward pass and inference visible to `observe`.

        One that changes ``forward`` alone infers by it, whatever the class above does.
        """
        super().__init_subclass__(**options)
        if "forward" in cls.__dict__ and "infer" not in cls.__dict__:
            cls.infer = Module.infer  # type: ignore[method-assign]
        for name in ("forward", "infer"):
            if name in cls.__dict__:
                setattr(cls, name, observed(cls.__dict__[name]))

    # --- computing -------------------------------------------------------------------------------

    def forward(self, *inputs: Any, **options: Any) -> tuple[Any, Backward]:
        """Compute the output and the way back.

        Parameters
        ----------
        *inputs : array
            Most layers take one, ``x``.
        training : bool, default False
            Whether layers that train differently (dropout, batch normalisation) do so.

        Returns
        -------
        y : array
            The output.
        backward : callable
            ``backward(dy)`` returns ``dx`` (a tuple of them for several inputs) and ``grads``, a
            flat dict with the keys of `state_dict`.
        """
        raise TypeError(f"{type(self).__name__} defines no forward(x, training=False)")

    def infer(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output only."""
        return self.forward(*inputs, training=False)[0]

    def __call__(self, *inputs: Any) -> Any:
        """Infer: compute the output and keep nothing. On symbolic inputs, add to their graph."""
        for x in inputs:
            if isinstance(x, Node):
                return Node.of(self, inputs)
        return self.infer(*inputs)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        """Floating-point operations of one inference of this layer alone, in containers 0.

        A multiply-add counts as two. By default one operation per number of the output.
        """
        if self.children():
            return 0
        return math.prod(output_shape)

    # --- structure -------------------------------------------------------------------------------

    def children(self) -> dict[str, Module]:
        """Return the modules directly inside this one, by name.

        Those in lists and dicts go by the attribute's name and their number or key.
        """
        found: dict[str, Module] = {}
        for name, value in vars(self).items():
            if _MAY_HOLD[type(value)] and not name.startswith("_"):
                _add_modules(found, name, value)
        return found

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all inside it, with dotted names; its own name is ``prefix``."""
        yield from _walk(self, prefix, [])

    def _own_state(self) -> dict[str, Array]:
        """Arrays that are this module's own: parameters first, then buffers, as PyTorch orders."""
        parameters, buffers = {}, {}
        for name, value in vars(self).items():
            if type(value) not in _NO_STATE and is_array(value) and not name.startswith("_"):
                # NumPy makes scalars of 0-d arrays in arithmetic; elsewhere they may be sizes.
                if name in self.buffer_names:
                    buffers[name] = value
                elif not is_number(value):
                    parameters[name] = value
        return parameters | buffers

    def _slots(self) -> dict[str, tuple[Module, str]]:
        """For every key of the state dict, the module and the attribute that hold the array.

        A module that stands in two places has a key for each, as in PyTorch.
        """
        slots = {}
        for prefix, module in _walk(self, "", []):
            for name in module._own_state():
                slots[f"{prefix}.{name}" if prefix else name] = (module, name)
        return slots

    def _select(self, buffers: bool) -> dict[str, Array]:
        seen: set[tuple[int, str]] = set()
        chosen = {}
        for key, (module, name) in self._slots().items():
            if (id(module), name) not in seen and (name in module.buffer_names) is buffers:
                chosen[key] = getattr(module, name)
            seen.add((id(module), name))
        return chosen

    def parameters(self) -> dict[str, Array]:
        """Return what is trained, under the keys of `state_dict`; shared arrays appear once."""
        return self._select(buffers=False)

    def half_parameters(self) -> dict[str, Array]:
        """Return the parameters that are to be cast where a step computes in half precision."""
        slots = self._slots()
        return {
            key: array
            for key, array in self.parameters().items()
            if slots[key][1] not in slots[key][0].float32_names
        }

    def buffers(self) -> dict[str, Array]:
        """Return state that is not trained, under the keys of `state_dict`."""
        return self._select(buffers=True)

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(math.prod(array.shape) for array in self.parameters().values())

    @property
    def backend(self) -> Backend | None:
        """Where the module's arrays live; None if it has no state."""
        for _, module in self.named_modules():
            for array in module._own_state().values():
                return backend_of(array)
        return None

    # --- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return parameters and buffers under PyTorch's dotted keys, in PyTorch's order."""
        return {key: getattr(module, name) for key, (module, name) in self._slots().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over parameters and buffers.

        Parameters
        ----------
        state : mapping
            Arrays of any library, under the keys of `state_dict`. They are brought to the module's
            backend and dtypes. Nothing is changed unless everything fits.
        strict : bool, default True
            Whether keys must match exactly.

        Raises
        ------
        KeyError
            If keys are missing or unexpected, with all of them listed.
        ValueError
            If sizes differ, with all of them listed.
        """
        if isinstance(state, Mapping):
            state = self._current(state)
        self.update(load_state(type(self).__name__, self.state_dict(), state, strict))

    def _old_keys(self) -> dict[str, str]:
        """Keys of an older format that this module takes, too, and their present names."""
        return {}

    def _current(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rename what stands under old keys, here and in the modules inside."""
        names = {
            f"{prefix}.{old}" if prefix else old: f"{prefix}.{new}" if prefix else new
            for prefix, module in self.named_modules()
            for old, new in module._old_keys().items()
        }
        return {names.get(key, key): value for key, value in state.items()} if names else state

    def update(self, arrays: Mapping[str, Array]) -> None:
        """Replace some parameters or buffers, by their keys in `state_dict`.

        Raises
        ------
        KeyError
            If there is no such parameter or buffer.
        TypeError, ValueError
            If something is not an array, or has another shape. Nothing is changed then.
        """
        slots = self._slots()
        unknown = [key for key in arrays if key not in slots]
        if unknown:
            raise KeyError(f"{type(self).__name__} has no parameter or buffer {unknown}")
        for key, array in arrays.items():
            old = getattr(*slots[key])
            if not is_number(array) and not is_array(array):
                raise TypeError(f"{key} must be an array, got {type(array).__name__}")
            shape = tuple(getattr(array, "shape", ()))
            if shape != tuple(old.shape):
                raise ValueError(f"{key} has shape {tuple(old.shape)}, got an array of {shape}")
        for key, array in arrays.items():
            module, name = slots[key]
            if is_number(array):  # what NumPy makes of a 0-d array in arithmetic
                old = getattr(module, name)
                array = backend_of(old).asarray(array, dtype=old.dtype)
            setattr(module, name, array)

    def to(self, backend: str | Backend | None = None, dtype: DType | None = None) -> Self:
        """Move the module's arrays to a backend and convert the floating ones to a dtype, in place.

        Parameters
        ----------
        backend : str or Backend, optional
            Where to; by default they stay.
        dtype : str or dtype, optional
            Dtype of floating parameters and buffers, as ``"float64"``; by default they keep theirs.

        Returns
        -------
        Module
            The module itself.

        Raises
        ------
        BackendError
            If the backend cannot work.
        TypeError
            If the dtype is not floating. Nothing is changed then.
        """
        if dtype is not None and "float" not in str(dtype):
            raise TypeError(f"a module's dtype must be floating, as 'float32', got {dtype!r}")
        moved = {}
        for key, array in self.state_dict().items():
            target = backend_of(array) if backend is None else get_backend(backend)
            floating = "float" in str(array.dtype)
            moved[key] = target.asarray(array, dtype=dtype if floating else None)
        self.update(moved)
        return self

    def fuse(self) -> Module:
        """Return a copy for inference, with every batch norm folded into the convolution before it.

        Returns
        -------
        Module
            A model that computes the same, to rounding, in fewer passes over memory: convolutions
            have other weights, and `Identity` stands where their batch norms were. Folded are
            those that follow a `Conv1d`, `Conv2d` or `Conv3d` in a `Sequential` or a `Graph`, at
            any depth, where nothing else sees the convolution's output and neither layer is used
            twice. Do not train it: the statistics are constants in it.

        Examples
        --------
        >>> from xpconv import nn
        >>> model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU())
        >>> list(model.fuse().state_dict())
        ['0.weight', '0.bias']
        """
        from ._fuse import fuse

        return fuse(self)

    def compile_for(self, *input_shapes: tuple[int, ...]) -> Planned:
        """Plan inference for inputs of one shape: whatever can be done once is done now.

        Parameters
        ----------
        *input_shapes : tuple of int
            Shape of each input, batch axis included.

        Returns
        -------
        Planned
            A function of inputs of exactly these shapes, in the dtype and on the backend of the
            model. It computes what ``model.fuse()`` does, to rounding: batch norms are folded,
            activations are part of the convolutions before them, engines are chosen and weights
            laid out. Containers of the library are taken apart, so that `observe` sees nothing of
            it; modules that you have written are called as they are.

        Raises
        ------
        ValueError
            If the model cannot take inputs of such shapes.

        Notes
        -----
        The plan holds the weights as they are now. It does not follow the model: after training or
        loading, plan again.

        Examples
        --------
        >>> from xpconv import get_backend, nn
        >>> model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU())
        >>> fast = model.compile_for((8, 1, 28, 28))
        >>> fast(get_backend("numpy").xp.zeros((8, 1, 28, 28), dtype="float32")).shape
        (8, 2, 26, 26)
        """
        from ._plan import Planned

        return Planned(self, input_shapes)

    def summary(self, input_shape: tuple[int, ...]) -> Summary:
        """Return a table of the layers for one input of the given shape, without the batch axis."""
        from ._summary import summary

        return summary(self, input_shape)

    # --- looks -----------------------------------------------------------------------------------

    def _describe(self) -> str:
        """Return the arguments to show between the parentheses of ``repr``."""
        return ""

    def __repr__(self) -> str:
        """Return the module and what is inside it, one line a layer."""
        children = self.children()
        if not children:
            return f"{type(self).__name__}({self._describe()})"
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children.items()]
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


class _MayHold(dict[type, bool]):
    """Whether values of a type may hold modules; found once for each type, as steps ask often."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = found = issubclass(kind, (Module, list, tuple, dict))
        return found


_MAY_HOLD = _MayHold()
_NO_STATE = frozenset({bool, float, int, str, tuple, type(None)})
"""Types of most attributes, of which none is an array."""


def _walk(module: Module, prefix: str, found: list[tuple[str, Module]]) -> list[tuple[str, Module]]:
    """Add a module and all inside it to a list, with dotted names."""
    found.append((prefix, module))
    for name, child in module.children().items():
        _walk(child, f"{prefix}.{name}" if prefix else name, found)
    return found


def _add_modules(found: dict[str, Module], name: str, value: Any) -> None:
    """Add a module, or the modules in a list or a dict of them, at any depth."""
    if isinstance(value, Module):
        found[name] = value
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        if _MAY_HOLD[type(entry)]:
            _add_modules(found, f"{name}.{key}", entry)

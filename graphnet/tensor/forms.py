"""Other names of methods, and their forms in place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from graphnet.tensor.comparisons import Comparisons
from graphnet.tensor.elementwise import Elementwise
from graphnet.tensor.selection import Selection

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Forms"]

P = ParamSpec("P")
_OPERAND = {"bitwise_": "[1, 2]"}  # of the examples
_ARGUMENTS = {
    "masked_fill": "gn.tensor([True, False]), 0.0",
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), "3"),
}


def in_place(method: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate[Any, P], Tensor]:
    """The form of a method that overwrites the tensor with its result; gradients flow through the result."""

    @functools.wraps(method)
    def overwriting(self: Any, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        return self._overwrite(method(self, *args, **kwargs))  # type: ignore[no-any-return]

    name = getattr(method, "__name__", "")
    overwriting.__name__ = f"{name}_"
    overwriting.__qualname__ = f"Tensor.{name}_"
    overwriting.__module__ = __name__
    overwriting.__doc__ = f"""`{name}` in place: the tensor is overwritten with the result, and given back.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor({_OPERAND.get(name[:8], "[0.5, 0.25]")})
            >>> x.{name}_({_ARGUMENTS.get(name, "0.5" if len(inspect.signature(method).parameters) > 1 else "")}) is x
            True
        """
    return overwriting  # type: ignore[return-value]  # a method has no name for its first argument


_E, _C, _S = Elementwise, Comparisons, Selection


class Forms(Elementwise, Comparisons, Selection):
    """`abs_` for `abs` and so on, and names that stand for others."""

    __slots__ = ()

    absolute, negative, subtract, multiply = _E.abs, _E.neg, _E.sub, _E.mul
    divide = true_divide = _E.div
    not_equal, less, less_equal, greater, greater_equal = _C.ne, _C.lt, _C.le, _C.gt, _C.ge

    add_, sub_, mul_, div_ = in_place(_E.add), in_place(_E.sub), in_place(_E.mul), in_place(_E.div)
    pow_, floor_divide_, remainder_ = in_place(_E.pow), in_place(_E.floor_divide), in_place(_E.remainder)
    subtract_, multiply_, divide_, true_divide_ = sub_, mul_, div_, div_
    square_, neg_, abs_, sign_ = in_place(_E.square), in_place(_E.neg), in_place(_E.abs), in_place(_E.sign)
    negative_, absolute_ = neg_, abs_
    exp_, expm1_, log_, log1p_ = in_place(_E.exp), in_place(_E.expm1), in_place(_E.log), in_place(_E.log1p)
    sqrt_, rsqrt_, reciprocal_ = in_place(_E.sqrt), in_place(_E.rsqrt), in_place(_E.reciprocal)
    sin_, cos_, tanh_, sigmoid_ = in_place(_E.sin), in_place(_E.cos), in_place(_E.tanh), in_place(_E.sigmoid)
    relu_, erf_, floor_, ceil_ = in_place(_E.relu), in_place(_E.erf), in_place(_E.floor), in_place(_E.ceil)

    round_, tan_ = in_place(_E.round), in_place(_E.tan)
    bitwise_and_, bitwise_or_ = in_place(_C.bitwise_and), in_place(_C.bitwise_or)
    bitwise_xor_, bitwise_not_ = in_place(_C.bitwise_xor), in_place(_C.bitwise_not)

    eq_, ne_, lt_, le_ = in_place(_C.eq), in_place(_C.ne), in_place(_C.lt), in_place(_C.le)
    gt_, ge_ = in_place(_C.gt), in_place(_C.ge)
    not_equal_, less_, less_equal_, greater_, greater_equal_ = ne_, lt_, le_, gt_, ge_
    logical_not_, logical_and_ = in_place(_C.logical_not), in_place(_C.logical_and)
    logical_or_, logical_xor_ = in_place(_C.logical_or), in_place(_C.logical_xor)
    masked_fill_ = in_place(_C.masked_fill)

    clamp_, clip_ = in_place(_S.clamp), in_place(_S.clip)
    clamp_min_, clamp_max_ = in_place(_S.clamp_min), in_place(_S.clamp_max)

"""How captured functions end: returns on some paths only, raises, code without source, sizes as Python sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn

# ruff: noqa: RET503, RET505 - what the tests are about


def falls_through(x: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    x = x + 1


def ends_after_a_loop(x: Any) -> Any:
    while x.sum() < 5:
        x = x + 1
        if x[0] > 2:
            return x


def ends_after_a_for(x: Any) -> Any:
    for _ in range(3):
        x = x + 1
        if x[0] > 1:
            return x


def returns_none(x: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    return None


def in_a_helper(x: Any) -> Any:
    return falls_through(x) * 2


@pytest.mark.parametrize("function", [falls_through, ends_after_a_loop, ends_after_a_for, returns_none, in_a_helper])
def test_none_on_some_paths_is_refused(function: Callable[[Any], Any]) -> None:
    for x in (gn.ones(2), -gn.ones(2)):
        with pytest.raises(gn.TraceError, match=r"returns.py:\d+: the return value .* None after the"):
            gn.compile(function)(x)


def in_both_branches(x: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    else:
        return x * 3


def from_an_endless_loop(x: Any) -> Any:
    while True:
        x = x + 1
        if x.sum() > 5:
            return x


def within_try_and_with(x: Any) -> Any:
    try:
        with gn.no_grad():
            if x.sum() > 0:
                return x * 2
            return x * 3
    finally:
        pass


def after_a_helper_without_result(x: Any) -> Any:
    def look(v: Any) -> Any:
        if v.sum() > 0:
            return
        v = v + 1

    look(x)
    return x * 2


@pytest.mark.parametrize(
    "function", [in_both_branches, from_an_endless_loop, within_try_and_with, after_a_helper_without_result]
)
def test_a_value_on_every_path_is_given(function: Callable[[Any], Any]) -> None:
    fast = gn.compile(function)
    for x in (gn.ones(2), -gn.ones(2)):
        assert fast(x).tolist() == function(x).tolist()


def test_a_raise_under_a_condition_on_a_tensor_is_refused_with_its_text() -> None:
    def checked(x: Any) -> Any:
        if x.sum() < 0:
            raise ValueError("negative")
        return x * 2

    with pytest.raises(gn.TraceError, match=r"returns.py:\d+: a `raise` \(ValueError: negative\)") as c:
        gn.compile(checked)(gn.ones(2))
    assert isinstance(c.value.__cause__, ValueError)


def test_a_raise_that_python_decides_is_raised() -> None:
    def checked(x: Any) -> Any:
        if x.ndim != 2:
            raise ValueError("not a matrix")
        return x * 2 if x.sum() > 0 else x

    with pytest.raises(ValueError, match=re.escape("not a matrix")):
        gn.compile(checked)(gn.ones(2))


def test_code_without_source_is_told_what_to_write() -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    while x.sum() < 10:\n        x = x + 1\n    return x", space)
    with pytest.raises(gn.TraceError, match=r"<string>:2.* code of exec\(\).*write gn.while_loop") as caught:
        gn.compile(space["f"])(gn.ones(2))
    assert "tf." not in str(caught.value)


def test_a_class_without_source_or_module_is_told_its_file_and_line() -> None:
    space: dict[str, Any] = {}
    text = "class Made(nn.Module):\n    def forward(self, x):\n        return x if x.sum() > 0 else -x"
    exec(compile(text, "<made>", "exec"), {"nn": nn}, space)
    with pytest.raises(gn.TraceError, match=r"^<made>:3: .*could not be captured \(there is none for code of exec"):
        gn.trace(space["Made"](), (2,))


def test_conditions_asked_for_by_code_that_is_not_rewritten_are_refused() -> None:
    class Signed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(gn.ones(2))

        @property
        def positive(self) -> Any:
            return self.weight if self.weight.sum() > 0 else -self.weight

        def forward(self, x: Any) -> Any:
            return x * self.positive

    with pytest.raises(gn.TraceError, match=r"test_control_flow_returns\.py:\d+: .*not rewritten, such as a property"):
        gn.trace(Signed(), (2,))


def test_sizes_that_code_checks_or_prints_are_numbers() -> None:
    def checked(x: Any) -> Any:
        assert x.shape == (2, 3)
        return x * float(f"{x.shape[0]}") + {2: 1.0}[x.shape[0]]

    assert gn.compile(checked)(gn.ones(2, 3)).tolist() == checked(gn.ones(2, 3)).tolist()
    with pytest.raises(AssertionError):
        gn.compile(checked)(gn.ones(4, 3))

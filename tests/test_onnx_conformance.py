"""The ONNX project's own tests, carried by the package `onnx`, through the `Backend` class.

They are those of single operators and those converted from PyTorch whose inputs and outputs are of the five data
types. What is left out stands in `onnx_left_out.txt`, by name and with a reason.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import numpy_helper

from graphnet.ops.onnx import ELEMENT_TYPES

if not onnx.__version__.startswith("1.23."):
    pytest.skip("the list of what is left out is that of onnx 1.23's tests", allow_module_level=True)

LEFT_OUT = Path(__file__).with_name("onnx_left_out.txt")
KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple")


def left_out() -> dict[str, str]:
    """The names of tests that are left out, with the reason of each."""
    found, reason = {}, ""
    for line in LEFT_OUT.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            assert line.strip() not in found, f"{line.strip()} stands there twice"
            found[line.strip()] = reason
        elif line and not line.startswith("#"):
            reason = line
    return found


def tensors(paths: list[Path]) -> list[Any]:
    return [numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())) for path in paths]


def arrays(values: Any) -> list[Any]:
    return [np.asarray(numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v) for v in values]


def numbered(folder: Path, what: str) -> list[Path]:
    return sorted(folder.glob(f"{what}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))


def data_sets(case: Any) -> list[tuple[list[Any], list[Any]]]:
    if case.data_sets is not None:
        return [(arrays(i), arrays(o)) for i, o in case.data_sets]
    folders = sorted(Path(case.model_dir).glob("test_data_set_*"))
    return [(tensors(numbered(f, "input")), tensors(numbered(f, "output"))) for f in folders]


def of_our_types(model: Any) -> bool:
    values = [*model.graph.input, *model.graph.output]
    return all(v.type.HasField("tensor_type") and v.type.tensor_type.elem_type in ELEMENT_TYPES for v in values)


def failure(case: Any, model: Any) -> str:
    """What is wrong with a test's result; empty if nothing is."""
    from graphnet.onnx import backend

    try:
        network = backend.prepare(model)
        for inputs, outputs in data_sets(case):
            results = network.run(inputs)
            assert len(results) == len(outputs)
            for got, expected in zip(results, outputs):
                assert got.dtype == expected.dtype and got.shape == expected.shape
                np.testing.assert_allclose(got, expected, rtol=case.rtol, atol=case.atol)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.fixture(scope="module")
def results() -> dict[str, str]:
    """What came of every test: empty, or what is wrong."""
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the suite's own, as it computes what it expects
        from onnx.backend.test.loader import load_model_tests

        for kind in KINDS:
            for case in load_model_tests(kind=kind):
                model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
                if of_our_types(model):
                    found[case.name] = failure(case, model)
    return found


def test_what_is_not_left_out_passes(results: dict[str, str]) -> None:
    listed = left_out()
    wrong = [f"{name}: {why[:300]}" for name, why in results.items() if why and name not in listed]
    assert not wrong, "\n".join(wrong)
    assert len(results) - len(listed) >= 1250


def test_what_is_left_out_does_not_pass(results: dict[str, str]) -> None:
    works = [name for name in left_out() if not results.get(name, "gone")]
    assert not works, f"works now, take it off the list: {', '.join(works)}"


def test_what_is_left_out_exists(results: dict[str, str]) -> None:
    assert set(left_out()) <= set(results)

"""What is saved comes back, in a fresh process too; what is damaged or cannot be saved is told."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphnet as gn
from graphnet import nn

safetensors = pytest.importorskip("safetensors")


def there_and_back(value: Any) -> Any:
    file = io.BytesIO()
    gn.save(value, file)
    file.seek(0)
    return gn.load(file)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, (gn.Tensor, np.ndarray)):
        x, y = np.asarray(a), np.asarray(b)
        flags = getattr(a, "requires_grad", None) == getattr(b, "requires_grad", None)
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes() and flags
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a.items(), b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or repr(a) == repr(b)


VALUES: dict[str, Callable[[], Any]] = {
    "a tensor": lambda: gn.rand(2, 3),
    "float64": lambda: gn.rand(2, 3).double(),
    "int32": lambda: gn.arange(3).int(),
    "int64": lambda: gn.tensor([-(2**63), 2**63 - 1]),
    "bool": lambda: gn.tensor([True, False]),
    "0-d": lambda: gn.tensor(1.5),
    "empty": lambda: gn.zeros(0, 3),
    "two empty": lambda: [gn.zeros(0), gn.zeros(2, 0)],
    "transposed": lambda: gn.rand(2, 3).T,
    "a slice": lambda: gn.arange(10)[2:9:3],
    "expanded": lambda: gn.ones(3, 1).expand(3, 4),
    "special": lambda: gn.tensor([float("nan"), float("inf"), -0.0]),
    "requires grad": lambda: gn.rand(2, requires_grad=True),
    "a parameter": lambda: nn.Parameter(gn.rand(2)),
    "a frozen parameter": lambda: nn.Parameter(gn.rand(2), requires_grad=False),
    "an array": lambda: np.arange(3.0),
    "an array of no axes": lambda: np.array(3, np.int32),
    "numbers": lambda: [1, -2.5, True, False, None, 10**30, float("inf"), float("-inf"), float("nan"), 1e-320],
    "long numbers": lambda: [2**63, -(2**63) - 1, 10**5000, -(10**5000)],
    "odd strings": lambda: {"\ud800": gn.ones(1), "x": "\udfff"},
    "strings": lambda: ["", "ü\n\"'\0", "graphnet"],
    "nested": lambda: {"a": [1, (2, {"b": gn.ones(2)})], "c": {}, "d": [], "e": ()},
    "keys": lambda: {0: 1, "0": 2, 1.5: 3, None: 4, (1, "x"): 5, "": gn.ones(1), "__metadata__": gn.zeros(1)},
    "keys that look alike": lambda: {"a.b": gn.ones(1), "a": {"b": gn.zeros(2)}, "a.b'": gn.ones(3)},
    "ordered": lambda: OrderedDict(b=1, a=2),
    "a dtype and a shape": lambda: {"dtype": gn.float64, "shape": gn.ones(2, 3).shape},
    "JSON of its own": lambda: {"t": "x", "l": [{"t": 1}]},
    "nothing": lambda: None,
    "a number": lambda: 3,
    "a state dict": lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).state_dict(),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_saved_comes_back(name: str, tmp_path: Path) -> None:
    value = VALUES[name]()
    assert same(there_and_back(value), value)
    for path in (tmp_path / "a path", str(tmp_path / "a string")):
        gn.save(value, path)
        assert same(gn.load(path), value)


TENSORS = st.sampled_from(["float32", "float64", "int32", "int64", "bool"]).flatmap(
    lambda dtype: st.lists(st.integers(0, 3), max_size=3).map(lambda shape: gn.ones(*shape).to(getattr(gn, dtype)))
)
KEYS = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none())
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), TENSORS)
OBJECTS = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(OBJECTS)
def test_whatever_is_made_of_these_comes_back(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_numbers_of_numpy_come_back_as_pythons() -> None:
    loaded = there_and_back([np.bool_(True), np.float32(0.5), np.float64(0.1), np.int32(3), np.str_("x")])
    assert loaded == [True, 0.5, 0.1, 3, "x"] and [type(v) for v in loaded] == [bool, float, float, int, str]


def test_loaded_tensors_can_be_written_to() -> None:
    x = there_and_back(gn.zeros(3))
    x.fill_(1)
    a = there_and_back(np.zeros(3))
    a += 1
    assert x.tolist() == a.tolist() == [1, 1, 1]


def tied() -> nn.Sequential:
    shared = nn.Linear(3, 3)
    return nn.Sequential(shared, nn.Tanh(), shared, nn.Linear(3, 1))


def test_a_tied_parameter_is_stored_once_and_tied_again_in_a_fresh_process(tmp_path: Path) -> None:
    net, path = tied(), tmp_path / "net.safetensors"
    gn.save(net.state_dict(), path)
    with safetensors.safe_open(path, "np") as file:
        assert sorted(file.keys()) == ["0.bias", "0.weight", "3.bias", "3.weight"]
    code = f"""
import graphnet as gn
from graphnet import nn
state = gn.load({str(path)!r})
assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias"]
assert state["0.weight"] is state["2.weight"] and state["0.bias"] is state["2.bias"]
shared = nn.LazyLinear(3)
net = nn.Sequential(shared, nn.Tanh(), shared, nn.LazyLinear(1))
net.load_state_dict(state)
assert net[0].weight is net[2].weight
print(net(gn.ones(1, 3)).item())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == net(gn.ones(1, 3)).item()


def test_tensors_that_share_memory_do_so_again() -> None:
    parameter, other = nn.Parameter(gn.ones(2, 2)), gn.ones(2, 2)
    loaded = there_and_back({"p": parameter, "data": parameter.data, "again": parameter, "t": parameter.T, "o": other})
    assert loaded["p"] is loaded["again"]
    loaded["data"].fill_(7)
    assert loaded["p"].tolist() == [[7, 7], [7, 7]]
    assert loaded["t"].tolist() == loaded["o"].tolist() == [[1, 1], [1, 1]]


def test_training_goes_on_from_a_file(tmp_path: Path) -> None:
    for kind in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad"):
        options = {"momentum": 0.9} if kind in ("SGD", "RMSprop") else {}
        x, y = gn.rand(8, 3), gn.rand(8, 1)

        def make(kind: str = kind, options: dict[str, Any] = options) -> Any:
            net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
            optimizer = getattr(gn.optim, kind)(net.parameters(), lr=0.1, **options)
            schedules = [
                gn.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3]),
                gn.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
                gn.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
            ]
            return net, optimizer, schedules, gn.TrainStep(net, nn.MSELoss(), optimizer)

        def go(parts: Any, x: Any = x, y: Any = y) -> list[float]:
            losses = []
            for _ in range(3):
                losses.append(parts[3](x, y).item())
                for schedule in parts[2]:
                    schedule.step(*((losses[-1],) if "Plateau" in type(schedule).__name__ else ()))
            return losses

        first = make()
        go(first)
        path = tmp_path / kind
        states = {"net": first[0].state_dict(), "optimizer": first[1].state_dict()}
        gn.save({**states, "schedules": [s.state_dict() for s in first[2]]}, path)
        second = make()
        loaded = gn.load(path)
        second[0].load_state_dict(loaded["net"])
        second[1].load_state_dict(loaded["optimizer"])
        for schedule, state in zip(second[2], loaded["schedules"]):
            schedule.load_state_dict(state)
        assert go(first) == go(second)


# -- files of other programs -----------------------------------------------------------------------------


def test_pytorchs_state_dicts_load_by_name(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write = pytest.importorskip("safetensors.torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    ours = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    for convert in (lambda t: t, lambda t: t.half(), lambda t: t.bfloat16(), lambda t: t.double()):
        state = {key: convert(value) for key, value in theirs.state_dict().items()}
        write.save_file(state, tmp_path / "theirs")
        loaded = gn.load(tmp_path / "theirs")
        assert set(loaded) == set(state)
        for key, value in state.items():
            wanted = value.double() if value.dtype == torch.float64 else value.float()
            np.testing.assert_array_equal(loaded[key].numpy(), wanted.numpy())
        ours.load_state_dict(loaded)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool):
        value = torch.tensor([0, 1, 100]).to(dtype)
        write.save_file({"x": value}, tmp_path / "theirs")
        assert gn.load(tmp_path / "theirs")["x"].tolist() == value.tolist()


def test_pytorchs_tied_parameters_are_tied(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write = pytest.importorskip("safetensors.torch")
    shared = torch.nn.Linear(3, 3)
    write.save_model(torch.nn.Sequential(shared, torch.nn.Tanh(), shared, torch.nn.Linear(3, 1)), tmp_path / "theirs")
    loaded = gn.load(tmp_path / "theirs")
    assert loaded["0.weight"] is loaded["2.weight"]
    tied().load_state_dict(loaded)


def test_pytorch_reads_ours(tmp_path: Path) -> None:
    read = pytest.importorskip("safetensors.torch")
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    gn.save(net.state_dict(), tmp_path / "ours")
    loaded = read.load_file(tmp_path / "ours")
    assert {k: v.tolist() for k, v in loaded.items()} == {k: v.tolist() for k, v in net.state_dict().items()}


# -- writing ---------------------------------------------------------------------------------------------


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    gn.save({"x": 1}, path)
    path.chmod(0o640)

    def fail(*arguments: Any) -> None:
        raise OSError("the disk is full")

    for what in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, what, fail)
            with pytest.raises(OSError, match="the disk is full"):
                gn.save({"x": 2}, path)
        assert gn.load(path) == {"x": 1} and os.listdir(tmp_path) == ["file"]
    with pytest.raises(TypeError):
        gn.save({"x": object()}, path)
    assert gn.load(path) == {"x": 1} and os.listdir(tmp_path) == ["file"]
    gn.save({"x": 2}, path)
    assert gn.load(path) == {"x": 2} and os.listdir(tmp_path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_links_are_followed_and_devices_written_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    gn.save(1, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and gn.load(tmp_path / "folder" / "file") == 1
    gn.save(1, os.devnull)
    assert not os.path.isfile(os.devnull)


def test_a_new_file_has_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    gn.save(1, tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


# -- wrong use -------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "a b")


def endless() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> Any:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


UNSAVED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "an object": (object, TypeError, "the object is an object, which cannot be saved"),
    "inside": (lambda: {"a": [1, {2}]}, TypeError, r"the object\['a'\]\[1\] is a set.*save a list"),
    "a function": (lambda: {"f": len}, TypeError, r"\['f'\] is a builtin_function_or_method"),
    "a module": (lambda: nn.Linear(1, 1), TypeError, r"is a Linear.*save its state_dict\(\)"),
    "an optimizer": (lambda: gn.optim.SGD([nn.Parameter(gn.ones(1))]), TypeError, r"is a SGD.*state_dict\(\)"),
    "bytes": (lambda: b"x", TypeError, "is a bytes"),
    "complex": (lambda: 1j, TypeError, "is a complex"),
    "a named tuple": (lambda: Pair(1, 2), TypeError, "is a Pair"),
    "an array of strings": (lambda: np.array(["a"]), TypeError, "no data type"),
    "an array of bytes": (lambda: {"x": np.zeros(2, np.uint8)}, TypeError, r"\['x'\]: no data type.*uint8"),
    "a masked array": (lambda: np.ma.masked_array([1, 2], [0, 1]), TypeError, "a MaskedArray cannot be saved"),
    "a lazy parameter": (lambda: nn.LazyLinear(2).state_dict(), RuntimeError, r"\['weight'\]: a lazy parameter"),
    "a loop": (endless, ValueError, r"\[0\] contains itself"),
    "too deep": (deep, ValueError, "nested too deeply"),
    "a key": (lambda: {frozenset(): 1}, TypeError, "is a frozenset"),
}


@pytest.mark.parametrize("name", UNSAVED)
def test_what_cannot_be_saved_is_told(name: str) -> None:
    make, error, text = UNSAVED[name]
    with pytest.raises(error, match=text) as caught:
        gn.save(make(), io.BytesIO())
    assert isinstance(caught.value, gn.GraphnetError) and str(caught.value).startswith("save: ")


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    gn.save(value, file)
    return file.getvalue()


def structured(structure: Any) -> bytes:
    from safetensors.numpy import save

    return save({"x": np.ones(2)}, {"graphnet": structure if isinstance(structure, str) else json.dumps(structure)})


DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "it is empty"),
    "short": (lambda: b"abc", "not a safetensors file, or damaged"),
    "text": (lambda: b"this is some text, of no format at all", "not a safetensors file, or damaged"),
    "cut in the header": (lambda: saved({"x": gn.ones(5)})[:20], "not a safetensors file, or damaged"),
    "cut in the data": (lambda: saved({"x": gn.ones(5)})[:-3], "not a safetensors file, or damaged"),
    "too long": (lambda: saved({"x": gn.ones(5)}) + b"more", "not a safetensors file, or damaged"),
    "a pickle": (lambda: pickle.dumps([1, 2]), "it is a pickle, which can run code"),
    "a zip": (lambda: b"PK\x03\x04" + bytes(50), "it is a zip archive"),
    "no JSON": (lambda: structured("{"), "structure in .* is damaged"),
    "a list": (lambda: structured([]), "is damaged"),
    "no version": (lambda: structured({"object": 1}), "is damaged"),
    "later": (lambda: structured({"version": 99, "object": 1}), "a later version"),
    "no such tensor": (lambda: structured({"version": 1, "object": {"t": "y"}}), "is damaged"),
    "no such letter": (lambda: structured({"version": 1, "object": {"z": 1}}), "is damaged"),
    "no letter": (lambda: structured({"version": 1, "object": {}}), "is damaged"),
    "a bare list": (lambda: structured({"version": 1, "object": [1]}), "is damaged"),
    "no pairs": (lambda: structured({"version": 1, "object": {"d": [1]}}), "is damaged"),
    "a key that is none": (lambda: structured({"version": 1, "object": {"d": [[{"l": []}, 1]]}}), "is damaged"),
    "deep": (lambda: structured('{"version":1,"object":' + '{"l":[' * 90_000 + "]}" * 90_000 + "}"), "is damaged"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_foreign_files_are_told(name: str, tmp_path: Path) -> None:
    make, text = DAMAGED[name]
    path = tmp_path / "some file"
    path.write_bytes(make())
    with pytest.raises(gn.FileFormatError, match=f"load: .*{text}") as caught:
        gn.load(path)
    assert isinstance(caught.value, ValueError) and "some file" in str(caught.value)


SOUND = saved({"a": gn.ones(2, 3), "b": [gn.zeros(2), 1.5, "x"]})


@settings(max_examples=300)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255))
def test_a_changed_byte_is_told_or_harmless(place: int, byte: int) -> None:
    data = bytearray(SOUND)
    data[place] = byte
    with contextlib.suppress(gn.GraphnetError):
        gn.load(io.BytesIO(bytes(data)))


def test_other_types_are_refused_by_name() -> None:
    from safetensors.numpy import save

    with pytest.raises(gn.DTypeError, match="load: 'big' in the file has the type U64"):
        gn.load(io.BytesIO(save({"big": np.ones(2, np.uint64)})))


WRONG: dict[str, tuple[Callable[[Path], Any], Any, str]] = {
    "no file": (lambda p: gn.load(p / "none"), FileNotFoundError, "load: there is no such file: .*none"),
    "no folder": (lambda p: gn.save(1, p / "none" / "file"), FileNotFoundError, "save: there is no such folder"),
    "a folder": (lambda p: gn.load(p), gn.FileFormatError, "is a folder"),
    "save to a folder": (lambda p: gn.save(1, p), ValueError, "is a folder"),
    "save nowhere": (lambda p: gn.save(1, ""), ValueError, "save: '' is no path"),
    "a number": (lambda p: gn.load(3), TypeError, "load: expects a path or a binary file, got an int"),
    "save to a number": (lambda p: gn.save(1, 3), TypeError, "save: expects a path or a binary file, got an int"),
    "text": (lambda p: gn.save(1, io.StringIO()), TypeError, 'open it with mode "wb"'),
    "text to read": (lambda p: gn.load(io.StringIO("x")), TypeError, 'open it with mode "rb"'),
    "code": (lambda p: gn.load(p, weights_only=False), ValueError, "weights_only is True"),
    "a device": (lambda p: gn.load(p, "cuda"), ValueError, "map_location is None or 'cpu', got 'cuda'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str, tmp_path: Path) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=text) as caught:
        function(tmp_path)
    assert isinstance(caught.value, gn.GraphnetError)


def test_load_state_dict_names_everything_that_does_not_fit_at_once() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = there_and_back(net.state_dict())
    del state["0.bias"]
    state["extra"] = gn.ones(1)
    state["0.weight"], state["1.weight"] = gn.ones(5), gn.ones(1, 4)
    with pytest.raises(gn.StateDictError) as caught:
        net.load_state_dict(state)
    for part in ("missing keys: '0.bias'", "unexpected keys: 'extra'", "'0.weight'", "(3, 2)", "(5,)", "(1, 4)"):
        assert part in str(caught.value)

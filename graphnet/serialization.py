"""Saving and loading: safetensors files, in which nothing is code.

Tensors lie in the file under the path that leads to them (for a state dict: their keys), so any reader of safetensors
finds them. How lists, tuples and dicts hold them is JSON in the file's metadata. Tensors that share their memory, as
tied parameters do, are stored once and are one tensor again after loading.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import stat
from collections import OrderedDict
from typing import Any, TypeAlias

import numpy as np

from graphnet.dtypes import DType, as_dtype
from graphnet.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    FileFormatError,
    GraphnetError,
    MissingFileError,
    kind_of,
)
from graphnet.nn import Module, Parameter
from graphnet.optim import Optimizer
from graphnet.optim.lr_scheduler import LRScheduler
from graphnet.tensor import Size, Tensor, check_tensor

__all__ = ["load", "save"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

VERSION = 1
_STORED = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "BOOL": "|b1"}
# Types of other programs that one of ours holds exactly.
_WIDENED = {"F16": ("<f2", "float32"), "I8": ("|i1", "int32"), "U8": ("|u1", "int32"), "I16": ("<i2", "int32"),
            "U16": ("<u2", "int32"), "U32": ("<u4", "int64")}  # fmt: skip


def save(obj: Any, f: Any) -> None:
    """Write an object to a file: tensors, numbers, strings, None, and lists, tuples and dicts of these.

    A file that is there already is replaced at once when the new one is complete, and stays as it is if writing fails.
    Views are stored as they look, without what else lies in their memory. NumPy arrays come back as arrays,
    parameters as parameters; other kinds of dicts than OrderedDict come back as dicts.

    Args:
        obj: what to save, such as `net.state_dict()` or a dict with several of those.
        f: a path, or a binary file that is open for writing.

    Raises:
        ArgumentTypeError: something in it that cannot be saved, with its place. UninitializedError: a lazy parameter
            of unknown size. MissingFileError: there is no such folder.

    Example:
        >>> import io
        >>> import graphnet as gn
        >>> net, file = gn.nn.Linear(2, 1), io.BytesIO()
        >>> gn.save({"net": net.state_dict(), "epoch": 3}, file)
        >>> _ = file.seek(0)
        >>> loaded = gn.load(file)
        >>> net.load_state_dict(loaded["net"]), loaded["epoch"]
        (<All keys matched successfully>, 3)
    """
    import safetensors.numpy

    _check_file("save", f, "write")
    encoder = _Encoder()
    try:
        structure = encoder.encode(obj, ())
    except RecursionError:
        raise ArgumentError("save: the object is nested too deeply") from None
    text = json.dumps({"version": VERSION, "object": structure}, allow_nan=False, separators=(",", ":"))
    try:
        data = safetensors.numpy.save(encoder.arrays, {"graphnet": text})
    except safetensors.SafetensorError as error:  # of names that take more than the format allows
        raise ArgumentError(f"save: the object does not fit into a safetensors file: {error}") from None
    if hasattr(f, "write"):
        try:
            f.write(data)
        except TypeError:
            raise ArgumentTypeError('save: the file is open for text; open it with mode "wb"') from None
    else:
        _replace(os.fspath(f), data)


def load(f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None) -> Any:
    """Read what `save` wrote, or the tensors of any safetensors file, such as a state dict of PyTorch's.

    The file is data alone: nothing in it is run. Tensors of other programs in float16, bfloat16 or small integer types
    become float32, int32 or int64, which hold them exactly.

    Args:
        f: a path, or a binary file that is open for reading.
        map_location: None or "cpu". weights_only: True. mmap: has no effect. They are PyTorch's.

    Returns:
        The object; for a file of another program, a dict of its tensors by name.

    Raises:
        MissingFileError: there is no such file.
        FileFormatError: it is not a safetensors file, damaged, or of a later version.
        DTypeError: a tensor of a type that no type here can hold.

    Example:
        >>> import io
        >>> import graphnet as gn
        >>> file = io.BytesIO()
        >>> gn.save({"weight": gn.ones(2)}, file)
        >>> _ = file.seek(0)
        >>> gn.load(file)
        {'weight': tensor([1., 1.])}
    """
    import safetensors

    _check_file("load", f, "read")
    if map_location is not None and not str(map_location).startswith("cpu"):
        raise ArgumentError(f"load: tensors lie on the CPU, map_location is None or 'cpu', got {map_location!r}")
    if weights_only is not True:
        raise ArgumentError("load: files hold data alone, weights_only is True; leave it out")
    name, data = _read(f)
    deserialize: Any = safetensors.deserialize  # its types vary from release to release
    try:
        stored = deserialize(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise FileFormatError(f"load: {name} is not a safetensors file, or damaged: {_guess(data) or error}") from None
    arrays = {key: _array(name, key, entry) for key, entry in stored}
    metadata = header.get("__metadata__") or {}
    if "graphnet" not in metadata:
        return _foreign(header, metadata, arrays)
    try:
        structure = json.loads(metadata["graphnet"])
        if structure["version"] > VERSION:
            raise FileFormatError(f"load: {name} was written by a later version of graphnet; update it")
        return _Decoder(arrays).decode(structure["object"])
    except FileFormatError:
        raise
    except (GraphnetError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"load: the structure in {name} is damaged: {error!r:.200}") from None


class _Encoder:
    """Takes an object apart into arrays by name and JSON that says how they were held.

    Plain JSON stands for itself; everything else is an object with one letter: t(ensor), f(loat that JSON lacks),
    i(nteger that is long), l(ist), u (tuple), d(ict), o(rdered dict), y (data type), s(hape).
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[Any, str] = {}  # by what memory they look at, and how
        self._kept: list[Array] = []  # so that no other array comes to lie where one of them lay
        self._open: set[int] = set()

    def encode(self, value: Any, path: tuple[Any, ...]) -> Any:
        """The JSON for a value."""
        if value is None or isinstance(value, (bool, str)):
            return str(value) if isinstance(value, str) else value
        if isinstance(value, (Tensor, np.ndarray)):
            return self._tensor(value, path)
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, (float, np.floating)):
            return float(value) if math.isfinite(value) else {"f": repr(float(value))}
        if isinstance(value, (int, np.integer)):
            return int(value) if -(2**63) <= value < 2**63 else {"i": hex(value)}
        if isinstance(value, DType):
            return {"y": value.name}
        if id(value) in self._open:
            raise ArgumentError(f"save: {_shown(path)} contains itself")
        self._open.add(id(value))
        try:
            return self._container(value, path)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, dict):
            entries = [[self._key(key, path), self.encode(part, (*path, key))] for key, part in value.items()]
            return {"o" if isinstance(value, OrderedDict) else "d": entries}
        kinds: dict[type, str] = {list: "l", tuple: "u", Size: "s"}
        letter = kinds.get(type(value))
        if letter is not None:
            return {letter: [self.encode(part, (*path, number)) for number, part in enumerate(value)]}
        hint = ""
        if isinstance(value, (Module, Optimizer, LRScheduler)):
            hint = "; save its state_dict()"
        elif isinstance(value, (set, frozenset)):
            hint = "; save a list"
        raise ArgumentTypeError(
            f"save: {_shown(path)} is {kind_of(value)}, which cannot be saved: tensors, numbers, strings, "
            f"None, lists, tuples and dicts can{hint}"
        )

    def _key(self, key: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(key, (Tensor, np.ndarray, list, dict)):
            raise ArgumentTypeError(f"save: a key of {_shown(path)} is {kind_of(key)}, which cannot be saved")
        return self.encode(key, (*path, key))

    def _tensor(self, value: Any, path: tuple[Any, ...]) -> Any:
        try:
            array = value if isinstance(value, np.ndarray) else value._values()
            if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
                raise ArgumentTypeError(f"{kind_of(value)} cannot be saved; make an array of it")
            as_dtype(array.dtype)
        except GraphnetError as error:
            error.args = (f"save: {_shown(path)}: {error}",)
            raise
        look = array.ctypes.data, array.shape, array.strides, array.dtype.str
        name = self._names.get(look) if array.size else None
        if name is None:
            name = ".".join(map(str, path)).encode("utf-8", "backslashreplace").decode() or "tensor"
            while name in self.arrays or name == "__metadata__":
                name += "'"
            self._names[look] = name
            self._kept.append(array)
            stored = array.astype(array.dtype.newbyteorder("="), copy=False)
            self.arrays[name] = np.asarray(stored, order="C").view(np.ndarray)
        result: dict[str, Any] = {"t": name}
        if isinstance(value, np.ndarray):
            result["array"] = True
        elif isinstance(value, Parameter):
            result["parameter"] = True
        if getattr(value, "requires_grad", False):
            result["grad"] = True
        return result


class _Decoder:
    """Puts an object together again. Whatever is wrong with the structure raises some error."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self._arrays = arrays
        self._made: dict[Any, Any] = {}

    def decode(self, value: Any) -> Any:
        """The value for JSON."""
        if not isinstance(value, dict):
            if isinstance(value, list):
                raise ValueError("a list outside its place")
            return value
        (letter, content), *others = value.items()
        if letter == "t":
            return self._tensor(value)
        if others:
            raise ValueError(f"{letter!r} with other entries")
        if letter == "f":
            return float(content)
        if letter == "i":
            return int(content, 16)
        if letter == "y":
            return as_dtype(str(content))
        if letter in ("d", "o"):
            pairs = ((self.decode(key), self.decode(part)) for key, part in content)
            return OrderedDict(pairs) if letter == "o" else dict(pairs)
        return {"l": list, "u": tuple, "s": Size}[letter](map(self.decode, content))

    def _tensor(self, entry: dict[str, Any]) -> Any:
        kind = entry["t"], entry.get("array"), entry.get("parameter"), entry.get("grad")
        if kind not in self._made:
            name, is_array, is_parameter, grad = kind
            array = self._arrays[name]
            if is_array:
                self._made[kind] = array
            elif is_parameter:
                self._made[kind] = Parameter(array, requires_grad=bool(grad))
            else:
                self._made[kind] = check_tensor("load", array).requires_grad_(bool(grad))
        return self._made[kind]


def _foreign(header: dict[str, Any], metadata: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Tensor]:
    """The tensors of a file of another program, in the file's order."""
    names = [name for name in header if name in arrays]
    names.sort(key=lambda name: header[name]["data_offsets"])
    result = {name: check_tensor(name, arrays[name]) for name in names}
    for name, first in metadata.items():  # safetensors.torch.save_model says so of tied parameters
        if name not in result and first in result:
            result[name] = result[first]
    return result


def _array(file: str, name: str, entry: dict[str, Any]) -> Array:
    """A stored tensor in memory of its own."""
    kind, shape, data = entry["dtype"], entry["shape"], bytearray(entry["data"])
    if kind not in (*_STORED, *_WIDENED, "BF16"):
        raise DTypeError(f"load: {name!r} in {file} has the type {kind}, which no type of graphnet's can hold")
    if kind == "BF16":  # the upper half of a float32
        flat: Array = (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif kind == "BOOL":
        flat = np.frombuffer(data, np.uint8) != 0
    else:
        stored, wanted = _WIDENED.get(kind) or (_STORED[kind], _STORED[kind][1:])
        flat = np.frombuffer(data, stored).astype(wanted, copy=False)
    shaped: Array = flat.reshape(shape)
    return shaped


def _shown(path: tuple[Any, ...]) -> str:
    return "the object" + "".join(f"[{key!r:.40}]" for key in path)


def _check_file(what: str, f: Any, method: str) -> None:
    if not hasattr(f, method) and not isinstance(f, (str, os.PathLike)):
        raise ArgumentTypeError(f"{what}: expects a path or a binary file, got {kind_of(f)}")


def _read(f: Any) -> tuple[str, bytes]:
    """The name and content of a file."""
    if hasattr(f, "read"):
        data, name = f.read(), str(getattr(f, "name", "the file"))
        if not isinstance(data, (bytes, bytearray)):
            raise ArgumentTypeError('load: the file is open for text; open it with mode "rb"')
        return name, bytes(data)
    name = os.fspath(f)
    try:
        with open(name, "rb") as file:
            return name, file.read()
    except FileNotFoundError:
        raise MissingFileError(errno.ENOENT, "load: there is no such file", name) from None
    except IsADirectoryError:
        raise FileFormatError(f"load: {name} is a folder") from None


def _guess(data: bytes) -> str:
    """What a file that is not safetensors is, where its beginning tells."""
    if not data:
        return "it is empty"
    if data[:2] == b"PK":
        return "it is a zip archive, as torch.save and numpy.savez write; write it with safetensors.torch.save_file"
    if data[:1] == b"\x80":
        return "it is a pickle, which can run code; write it with safetensors.torch.save_file"
    return "it is shorter than its first bytes say" if len(data) < 8 + int.from_bytes(data[:8], "little") else ""


def _replace(path: str, data: bytes) -> None:
    """Write a file aside and put it in the place of another when it is complete."""
    if not path or os.path.isdir(path):
        raise ArgumentError(f"save: {path!r} is {'a folder' if path else 'no path'}")
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or pipe is written to
            file.write(data)
        return
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileNotFoundError:
        raise MissingFileError(errno.ENOENT, "save: there is no such folder", folder) from None
    try:
        with io.FileIO(descriptor, "w") as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(descriptor)
        if os.path.exists(path):
            os.chmod(aside, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    with contextlib.suppress(OSError):  # so that the new name survives a power cut too, where the system can do that
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

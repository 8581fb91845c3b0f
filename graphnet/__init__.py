"""graphnet: neural networks written in PyTorch's words that are graphs you can see, check, train and run."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from graphnet.extension import extend as _extend

_extend(__path__)

from graphnet import autograd, cuda, errors, kernels, nn, optim
from graphnet import notebook as _notebook  # noqa: F401 it makes modules and graphs show themselves in Jupyter
from graphnet import shortcut as _shortcut  # noqa: F401 it lets small networks be called through programs
from graphnet.compile import TrainStep, compile
from graphnet.device import device
from graphnet.dtypes import DType, bool_, float32, float64, int32, int64
from graphnet.errors import *
from graphnet.graph import Graph
from graphnet.keys import Generator, default_generator, get_rng_state, initial_seed, manual_seed, set_rng_state
from graphnet.later import attach as _attach
from graphnet.program import (
    config,
    get_float32_matmul_precision,
    get_num_threads,
    set_float32_matmul_precision,
    set_num_threads,
    show_config,
)
from graphnet.recorded import graph_of
from graphnet.tensor import (
    Size,
    Tensor,
    creation,
    enable_grad,
    functions,
    is_grad_enabled,
    no_grad,
    sampling,
    set_grad_enabled,
)
from graphnet.tensor.control import cond, while_loop
from graphnet.tensor.creation import *
from graphnet.tensor.functions import *
from graphnet.tensor.sampling import *
from graphnet.trace import Spec, summary, trace

if _TYPE_CHECKING:
    from graphnet import utils
    from graphnet.drawing import draw
    from graphnet.export.table import Summary
    from graphnet.inspection import Inspection, inspect
    from graphnet.interchange import from_json, from_networkx
    from graphnet.onnx import from_onnx, to_onnx
    from graphnet.pytorch import from_torch
    from graphnet.serialization import load, save
    from graphnet.training import evaluate, fit

__getattr__, __dir__ = _attach(
    "graphnet",
    {
        "draw": "graphnet.drawing",
        "Inspection": "graphnet.inspection",
        "inspect": "graphnet.inspection",
        "from_json": "graphnet.interchange",
        "from_networkx": "graphnet.interchange",
        "from_onnx": "graphnet.onnx",
        "load": "graphnet.serialization",
        "from_torch": "graphnet.pytorch",
        "onnx": "graphnet.onnx",
        "evaluate": "graphnet.training",
        "fit": "graphnet.training",
        "save": "graphnet.serialization",
        "to_onnx": "graphnet.onnx",
        "Summary": "graphnet.export.table",
        "utils": "graphnet.utils",
    },
)

dtype = DType
# PyTorch's names for dtypes; they shadow builtins in this module's namespace only.
bool = bool_
int = int32
long = int64
float = float32
double = float64

__version__ = "0.1.0"

__all__ = [
    "DType",
    "Generator",
    "Graph",
    "Inspection",
    "Size",
    "Spec",
    "Summary",
    "Tensor",
    "TrainStep",
    "autograd",
    "bool_",
    "compile",
    "cond",
    "config",
    "cuda",
    "default_generator",
    "device",
    "draw",
    "dtype",
    "enable_grad",
    "errors",
    "evaluate",
    "fit",
    "float32",
    "float64",
    "from_json",
    "from_networkx",
    "from_onnx",
    "from_torch",
    "get_float32_matmul_precision",
    "get_num_threads",
    "get_rng_state",
    "graph_of",
    "initial_seed",
    "inspect",
    "int32",
    "int64",
    "is_grad_enabled",
    "kernels",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "set_num_threads",
    "set_rng_state",
    "show_config",
    "summary",
    "to_onnx",
    "trace",
    "utils",
    "while_loop",
]
__all__ += errors.__all__
__all__ += creation.__all__
__all__ += functions.__all__
__all__ += sampling.__all__

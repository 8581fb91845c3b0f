"""graphnet: neural networks written in PyTorch's words that are graphs you can see, check, train and run."""

from graphnet.extension import extend as _extend

_extend(__path__)

from graphnet import nn, optim
from graphnet.dtypes import DType, bool_, float32, float64, int32, int64
from graphnet.dtypes import bool_ as bool
from graphnet.errors import *  # noqa: F403
from graphnet.graph import Graph
from graphnet.program import config, get_num_threads, set_num_threads
from graphnet.tensor import Size, Tensor, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from graphnet.tensor.creation import *  # noqa: F403
from graphnet.tensor.functions import *  # noqa: F403
from graphnet.tensor.random import initial_seed, manual_seed
from graphnet.trace import Spec, trace

float = float32
double = float64
long = int64
int = int32
dtype = DType

__version__ = "0.1.0"

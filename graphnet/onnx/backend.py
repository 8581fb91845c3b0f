"""graphnet as a backend of the ONNX project: `onnx.backend.base.Backend`, which its own test suite drives.

Example:
    >>> import graphnet.onnx.backend as backend
    >>> backend.supports_device("CPU")
    True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ValueInfoProto, defs, helper
from onnx.backend.base import Backend, BackendRep

from graphnet.onnx.importing import from_onnx
from graphnet.tensor import no_grad

__all__ = ["GraphnetBackend", "GraphnetRep", "prepare", "run_model", "run_node", "supports_device"]


class GraphnetRep(BackendRep):  # type: ignore[misc]
    """A model that is ready to run."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The model's outputs, as arrays, for arrays in the order of its inputs."""
        with no_grad():
            results = self.network(*(np.asarray(i) for i in inputs))
        return tuple(r.detach().numpy() for r in (results if isinstance(results, tuple) else (results,)))


class GraphnetBackend(Backend):  # type: ignore[misc]
    """Runs ONNX models with graphnet, on the CPU."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> GraphnetRep:
        """Read a model.

        Raises:
            GraphError: nodes of it have no counterpart in graphnet.
        """
        super().prepare(model, device, **kwargs)  # checks the model
        return GraphnetRep(from_onnx(model))

    @classmethod
    def run_node(cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> Any:
        """Run one node on arrays; `opset_version` is that of its operator.

        Raises:
            GraphError: it has no counterpart in graphnet.
        """
        super().run_node(node, inputs, device, outputs_info, **kwargs)  # checks the node
        arrays = [np.asarray(i) for i in inputs]
        names = [name for name in node.input if name]
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for name, a in zip(names, arrays, strict=True)
        ]
        outputs = [ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], "node", infos, outputs)
        version = kwargs.get("opset_version") or defs.onnx_opset_version()
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
        return GraphnetRep(from_onnx(model)).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it is the CPU."""
        return device.split(":")[0] == "CPU"


prepare = GraphnetBackend.prepare
run_model = GraphnetBackend.run_model
run_node = GraphnetBackend.run_node
supports_device = GraphnetBackend.supports_device

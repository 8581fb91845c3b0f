"""Other processors than this one: an old x86-64 and an aarch64, emulated."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphnet import _core

ROOT = Path(__file__).parent.parent
LONG = pytest.mark.skipif("GRAPHNET_LONG" not in os.environ, reason="takes minutes: set GRAPHNET_LONG=1")

SMOKE = """
import numpy as np
import graphnet as gn
from graphnet import _core, kernels, nn
assert _core.targets() == ["scalar"], _core.targets()
assert np.allclose(kernels.matmul(np.ones((40, 30), "f"), np.ones((30, 20), "f")), 30)
net = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = gn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
x, labels = gn.randn(8, 20), gn.tensor([0, 1, 2, 3, 4, 5, 6, 7])
losses = []
for _ in range(3):
    loss = nn.functional.cross_entropy(net(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[0] > losses[-1]
step = gn.TrainStep(net, nn.CrossEntropyLoss(), optimizer)
assert step(x, labels).item() < losses[0]
assert gn.trace(net, gn.randn(2, 20)).to_dot()
print("fine")
"""


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates this processor's own kind")
def test_an_old_processor_meets_no_instruction_it_does_not_know() -> None:
    """Nehalem has neither AVX nor FMA."""
    done = subprocess.run(
        [tool("qemu-x86_64"), "-cpu", "Nehalem", sys.executable, "-c", SMOKE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 code")
def test_the_products_inner_loops_keep_their_sums_in_registers() -> None:
    tool("objdump")
    if "avx2" not in _core.targets() or _core.config()["build_type"] != "Release":
        pytest.skip("not a release build with vector targets")
    spec = importlib.util.spec_from_file_location("hot_loops", ROOT / "bench" / "hot_loops.py")
    assert spec is not None
    assert spec.loader is not None
    hot_loops = sys.modules["hot_loops"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hot_loops)
    found = hot_loops.tiles(_core.__file__)
    assert len(found) > 40
    assert max(loop.multiply_adds for loop in found) >= 24
    assert [loop for loop in found if loop.spilled] == []


@LONG
@pytest.mark.slow
def test_neon_agrees_with_the_plain_loops(tmp_path: Path) -> None:
    compiler, emulator = tool("aarch64-linux-gnu-g++"), tool("qemu-aarch64")
    configure = [
        tool("cmake"), "-S", str(ROOT), "-B", str(tmp_path), "-DGRAPHNET_PYTHON=OFF", "-DGRAPHNET_SELFCHECK=ON",
        "-DGRAPHNET_WERROR=ON", "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={compiler}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(tmp_path), "--parallel", str(os.cpu_count())]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # The cross compiler's own system root.
    library = subprocess.run(
        [compiler, "-print-file-name=libstdc++.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    roots = [p for p in (Path("/usr/aarch64-linux-gnu"), *Path(library).resolve().parents) if (p / "lib").is_dir()]
    run = [emulator, "-L", str(roots[0]), str(tmp_path / "selfcheck")]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "neon on 2 threads" in done.stdout

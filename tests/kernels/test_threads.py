"""The pool: results, many callers at once, fork, exit with a call under way, and the limits it obeys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from kernel_support import call, run, sample

from graphnet import _core


@pytest.fixture(autouse=True)
def two_threads():
    before = _core.get_num_threads()
    _core.set_num_threads(2)
    yield
    _core.set_num_threads(before)


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


def cases(rng):
    x = sample(rng, (400, 300), np.float32)
    y = sample(rng, (300, 200), np.float32)
    labels = rng.integers(0, 300, 400)
    yield "matmul", (x, y), (400, 200), ()
    yield "matmul", (x, y[:, :10]), (400, 10), ()
    yield "linear", (x, np.asfortranarray(y).T), (400, 200), (1,)
    yield "matmul_relu_backward", (x, y, x[:, :200]), (400, 200), ()
    yield "matmul", (np.stack([x] * 8), y), (8, 400, 200), ()
    yield "add", (x, x[0]), x.shape, ()
    yield "exp", (x,), x.shape, ()
    yield "sum", (x,), (1, 1), ()
    yield "sum", (x,), (400, 1), ()
    yield "sum", (x,), (1, 300), ()
    yield "softmax", (x,), x.shape, ()
    yield "cross_entropy", (x, labels), (), ()
    yield "cross_entropy_backward", (x, labels, np.array(1, np.float32)), x.shape, ()


def test_same_results_on_any_number_of_threads(rng):
    for name, inputs, shape, params in cases(rng):
        results = []
        for threads in (1, 2, 2, 3):
            _core.set_num_threads(threads)
            results.append(call(name, inputs, shape, np.float32, params))
        np.testing.assert_array_equal(results[1], results[2], name)  # run to run
        for other in results[1:]:
            np.testing.assert_allclose(results[0], other, rtol=1e-4, atol=1e-4, err_msg=name)


def test_many_callers(rng):
    x = sample(rng, (150, 150), np.float32)
    expected = call("matmul", (x, x), x.shape, np.float32)
    wrong = []

    def work():
        out = np.empty_like(x)
        for _ in range(100):
            run("matmul", (x, x), (out,))
            if not np.allclose(out, expected, rtol=1e-3, atol=1e-3):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_a_woken_worker_may_run_anywhere_again(rng):
    x = sample(rng, (300, 300), np.float32)
    for _ in range(3):
        call("matmul", (x, x), x.shape, np.float32)
        time.sleep(0.02)  # it falls asleep, and is woken on another processor than this thread's
    call("matmul", (x, x), x.shape, np.float32)
    allowed = os.sched_getaffinity(0)
    tasks = [int(task) for task in os.listdir("/proc/self/task")]
    until = time.monotonic() + 5
    while any(os.sched_getaffinity(task) != allowed for task in tasks) and time.monotonic() < until:
        time.sleep(0.001)
    assert [os.sched_getaffinity(task) for task in tasks] == [allowed] * len(tasks)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork():
    code = """
import os
import shutil
import threading
import warnings
import numpy as np
from graphnet import _core
warnings.simplefilter("ignore")
_core.set_num_threads(2)
matmul = _core.kernel_ids()["matmul"]
x = np.ones((200, 200), np.float32)
def once():
    out = np.zeros_like(x)
    _core.run(matmul, (x, x), (out,), ())
    return bool((out == 200).all())
assert once()
stop = []
def work():
    while not stop:
        once()
other = threading.Thread(target=work)
other.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if once() and once() else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.append(1)
other.join()
assert once()
print("fine")
"""
    done = python(code)
    assert done.stdout.strip() == "fine", done.stderr


def test_exit_while_a_call_is_under_way():
    code = """
import threading
import time
import numpy as np
from graphnet import _core
_core.set_num_threads(2)
matmul = _core.kernel_ids()["matmul"]
x = np.ones((600, 600), np.float32)
def work():
    out = np.empty_like(x)
    while True:
        _core.run(matmul, (x, x), (out,), ())
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
"""
    for _ in range(3):
        done = python(code)
        assert done.returncode == 0, done.stderr


def test_limits():
    show = "from graphnet import _core; print(_core.get_num_threads())"
    assert python(show, OMP_NUM_THREADS="1").stdout.strip() == "1"
    if hasattr(os, "sched_setaffinity"):
        pinned = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + show
        assert python(pinned).stdout.strip() == "1"
    with pytest.raises(ValueError, match="set_num_threads: expected 1 or more, got 0"):
        _core.set_num_threads(0)


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({}, "", 256),
        ({"cpu.max": "max 100000"}, "0::/", 256),
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "20000 100000"}, "", 1),
        ({"cpu.max": "300000 100000"}, "0::/not/there", 3),
        ({"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b", 4),
        ({"a/cpu.max": "400000 100000", "a/b/cpu.max": "200000 50000", "a/b/c/cpu.max": "9 1"}, "0::/a/b/c", 4),
        ({"cpu.max": "nonsense"}, "0::/", 256),
        ({"cpu.max": ""}, "broken line", 256),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/", 256),
        ({"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/", 3),
        ({"cpu,cpuacct/x/cpu.cfs_quota_us": "2000", "cpu,cpuacct/x/cpu.cfs_period_us": "1000"}, "3:cpu,cpuacct:/x", 2),
        ({"cpuset/x/cpu.cfs_quota_us": "200000", "cpuset/x/cpu.cfs_period_us": "100000"}, "3:cpuset:/x", 256),
    ],
)  # fmt: skip
def test_quota_of_control_groups(tmp_path, files, membership, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    (tmp_path / "membership").write_text(membership + "\n")
    assert _core.cgroup_quota(str(tmp_path), str(tmp_path / "membership")) == expected


def test_no_openmp_is_linked():
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("no readelf here")
    shown = subprocess.run([readelf, "-d", _core.__file__], capture_output=True, text=True, check=True).stdout
    needed = [line for line in shown.splitlines() if "NEEDED" in line]
    assert needed
    assert not [line for line in needed if "omp" in line.lower()]

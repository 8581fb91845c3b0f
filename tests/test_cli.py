"""The command `graphnet`, as a user meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn
from graphnet.cli import command, main
from graphnet.cli.train import Settings, network
from graphnet.data import digits


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A training run in a process of its own, with everything at its default."""
    folder = tmp_path_factory.mktemp("run")
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-m", "graphnet", "train", "digits"],
        cwd=folder,
        env={**environment, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "digits", done


def test_training_reaches_97_percent_in_seconds(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    result = json.loads((trained[0] / "result.json").read_text())
    assert result["accuracy"] >= 0.97
    assert result["seconds"] < 10
    assert result["settings"] == vars(Settings())


def test_training_shows_progress_the_network_and_what_it_wrote(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = trained
    assert re.search(r"training .*100%.*loss \d", done.stderr)
    for part in ("1797 images", "Linear", "ReLU", "(N, 128)", "held-out", "weights.npz", "graph.dot"):
        assert part in done.stdout, part
    assert (folder / "graph.svg").exists() == ("graph.svg," in done.stdout)


def test_the_table_names_what_is_shared(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    rows = [line for line in trained[1].stdout.splitlines() if "Linear" in line]
    assert len(rows) == 4
    assert any("2" in row and "4" in row for row in rows)


def test_trained_weights_load_back(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = trained
    net = network(128)
    with np.load(folder / "weights.npz") as weights:
        net.load_state_dict(weights)
    images, labels = digits()
    guesses = np.asarray(net(images)).argmax(axis=1)
    assert (guesses == labels).mean() > 0.98  # held out and seen ones together
    assert net[2].weight is net[4].weight


def test_the_graph_is_written_as_dot(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    text = (trained[0] / "graph.dot").read_text(encoding="utf-8")
    assert text.startswith("digraph")
    assert "dashed" in text  # the shared-weight edges


def test_equal_seeds_give_equal_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        command = ["train", "digits", "--epochs", "1", "--hidden", "8", "--seed", seed, "--out", str(tmp_path / name)]
        assert main(command) == 0
        with np.load(tmp_path / name / "weights.npz") as weights:
            runs.append({key: weights[key] for key in weights.files})
    capsys.readouterr()
    assert all(np.array_equal(runs[0][key], runs[1][key]) for key in runs[0])
    assert not np.array_equal(runs[0]["0.weight"], runs[2]["0.weight"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trane"], "trane"),
        (["train"], "digits"),
        (["train", "digit"], "digits"),
        (["train", "digits", "--epochs", "0"], "a whole number from 1 up, got '0'"),
        (["train", "digits", "--epochs", "2.5"], "a whole number from 1 up, got '2.5'"),
        (["train", "digits", "--batch-size", "-4"], "got '-4'"),
        (["train", "digits", "--lr", "nan"], "a number above 0, got 'nan'"),
        (["train", "digits", "--lr", "fast"], "got 'fast'"),
        (["train", "digits", "--hidden", "0"], "got '0'"),
        (["train", "digits", "--seed", "-1"], "got '-1'"),
        (["train", "digits", "--epoch", "3"], "--epoch"),
        (["info", "--xml"], "--xml"),
        (["draw"], "Missing argument 'FILE.py:NAME'"),
        (["draw", "net.py:net"], "--output"),
        (["draw", "net.py:net", "-o", "a.svg", "--depth", "-1"], "a whole number from 0 up, got '-1'"),
        (["draw", "net.py:net", "-o", "a.svg", "--direction", "up"], "'up' is not one of 'LR', 'TB', 'RL', 'BT'"),
        (["bench", "--seconds", "0"], "a number above 0, got '0'"),
    ],
)
def test_wrong_commands_are_told_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert output.err.startswith("graphnet") and "--help)" in output.err
    assert output.err.count("\n") == 1
    assert not output.out


def test_failures_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    command = ["train", "digits", "--epochs", "1", "--out", str(blocked)]
    assert main(command) == 1
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert str(blocked) in output.err
    with pytest.raises(FileExistsError):
        main([*command, "--debug"])


def test_training_that_diverges_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--epochs", "1", "--lr", "1e30", "--out", str(tmp_path)]) == 1
    assert "diverged" in capsys.readouterr().err
    assert not (tmp_path / "weights.npz").exists()


def test_the_last_batch_may_be_smaller_or_the_only_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in ("1000", "100000"):
        assert main(["train", "digits", "--epochs", "1", "--batch-size", size, "--out", str(tmp_path)]) == 0
    capsys.readouterr()


def test_info_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for name, value in (
        ("target", gn.config()["target"]),
        ("compiler", gn.config()["compiler"]),
        ("numpy", np.__version__),
        ("threads", gn.get_num_threads()),
        ("features", ""),
    ):
        assert any(line.startswith(name) and str(value) in line for line in text.splitlines()), name
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["threads"] == gn.get_num_threads()
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"graphnet {gn.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--help"], ["train", "draw", "summary", "export", "bench", "info", "--debug", "graphnet train digits"]),
        (["train", "--help"], ["digits"]),
        (["train", "digits", "--help"], ["--epochs", "--out", "graphnet train digits --epochs 5", "weights.npz"]),
        (["draw", "-h"], ["--input", "--depth", "--direction", "graphnet draw net.py:net --input N,20 -o net.svg"]),
        (["summary", "--help"], ["--json", "graphnet summary net.py:net --input N,20"]),
        (["export", "--help"], [".onnx .json .dot", "graphnet export net.py:net --input N,20 -o net.onnx"]),
        (["bench", "--help"], ["--threads", "graphnet bench"]),
        (["info", "-h"], ["--json", "graphnet info"]),
    ],
)
def test_help_is_there_with_examples(
    arguments: list[str], parts: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for part in ["Usage: graphnet", "Examples:", *parts]:
        assert part in text, part


def test_without_a_command_it_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Examples:" in capsys.readouterr().out


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.infos, "show", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "graphnet: interrupted\n"


# -- networks in files ------------------------------------------------------------------------------------

FILE = """
import graphnet as gn
from graphnet import nn

print("loading")
net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
    def forward(self, x):
        return self.layer(x)

class Sized(nn.Module):
    def __init__(self, width):
        super().__init__()

class Broken(nn.Module):
    def forward(self, x):
        return 1 / 0

def make():
    return Own()

def function(a, b):
    return a @ b

with gn.Graph("by hand") as graph:
    graph.output(graph.linear(graph.input("x", ("N", 4)), 2))

number = 3
if __name__ == "__main__":
    raise SystemExit("only as a program")
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my-net.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("name", "inputs", "told"),
    [
        ("net", ["N,20"], "186 parameters, 360 N FLOPs, 72 N bytes"),
        ("Own", ["(5, 4)"], "(5, 3)"),
        ("make", ["N,4"], "(N, 3)"),
        ("function", ["N,4", "4,2"], "matmul"),
        ("graph", [], "by hand"),
        ("net", ["N,20:float64"], "N"),
    ],
)
def test_summary_of_a_file(
    file: Path, name: str, inputs: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [part for text in inputs for part in ("--input", text)]
    code = main(["summary", f"my-net.py:{name}", *arguments])
    output = capsys.readouterr()
    if name == "net" and "float64" in inputs[0]:  # its parameters are float32
        assert code == 1 and "float64" in output.err and "my-net.py:6" in output.err
        return
    assert code == 0, output.err
    assert told in output.out
    assert "loading" not in output.out


def test_summary_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(file) + ":net", "-i", "N,20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"] == {"parameters": 186, "shared": 0, "flops": "360*N", "bytes": "72*N"}
    assert [row["cls"] for row in found["rows"]] == ["Linear", "ReLU", "Linear"]


@pytest.mark.parametrize("ending", ["dot", "html", "txt"])
def test_draw_a_file(file: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--depth", "1", "--direction", "TB", "--no-legend", "--no-shared", "--no-collapse"]
    assert main(["draw", "my-net.py:net", "--input", "N,20", "-o", f"new/net.{ending}", *options]) == 0
    assert capsys.readouterr().out == f"wrote new/net.{ending}\n"
    assert "Linear" in Path(f"new/net.{ending}").read_text(encoding="utf-8")


def test_export_a_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "my-net.py:net", "-i", "N,20", "-o", "net.dot"]) == 0
    assert Path("net.dot").read_text(encoding="utf-8").startswith("digraph")
    assert main(["export", "my-net.py:net", "-i", "N,20", "-o", "net.png"]) == 1
    assert "'net.png' should end in .onnx, .json or .dot" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(gn, "to_onnx"), reason="there is no export to ONNX")
def test_export_to_onnx_and_back(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    assert main(["export", "my-net.py:net", "-i", "N,20", "-o", "net.onnx"]) == 0
    assert main(["summary", "net.onnx"]) == 0
    assert "(N, 2)" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(gn.Graph, "to_json"), reason="there is no export to JSON")
def test_export_to_json_and_back(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "my-net.py:net", "-i", "N,20", "-o", "net.json"]) == 0
    assert json.loads(Path("net.json").read_text(encoding="utf-8"))
    assert main(["summary", "net.json"]) == 0
    assert "(N, 2)" in capsys.readouterr().out


WRONG = {
    "no file": (["missing.py:net", "-i", "N,20"], r"missing\.py: there is no such file"),
    "a folder": ([".py:net"], r"\.py: there is no such file"),
    "no name": (
        ["my-net.py", "-i", "N,20"],
        r"say which network of the file, such as my-net\.py:net; it has net, graph",
    ),
    "another name": (["my-net.py:mlp", "-i", "N,20"], r"my-net\.py has no 'mlp'; it has net, graph"),
    "no network": (["my-net.py:number", "-i", "N,20"], r"my-net\.py:number is an int, not a network"),
    "a module of Python": (["my-net.py:nn", "-i", "N,20"], r"my-net\.py:nn is a module, not a network"),
    "a class with arguments": (["my-net.py:Sized", "-i", "N,20"], r"is a class that needs width"),
    "no inputs": (["my-net.py:net"], r"give the shape of each input of my-net\.py:net, such as --input N,20"),
    "not a shape": (["my-net.py:net", "-i", "N;20"], r"--input takes sizes and names such as N,20.*got 'N;20'"),
    "not a dtype": (["my-net.py:net", "-i", "N,20:half"], r"the dtype is one of float32.*got 'half'"),
    "a wrong shape": (
        ["my-net.py:Own", "-i", "N,20"],
        r"layer \(Linear, my-net\.py:11\): expects 4 input features, got 20",
    ),
    "a forward that raises": (
        ["my-net.py:Broken", "-i", "N,20"],
        r"my-net\.py:21: ZeroDivisionError: division by zero",
    ),
    "not Python": (
        ["my-net.txt:net", "-i", "N,20"],
        r"expects FILE\.py:NAME, such as net\.py:net, got 'my-net\.txt:net'",
    ),
    "a graph that is not there": (["net.json"], r"net\.json: there is no such file"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("name", ["draw", "summary"])
def test_what_is_wrong_with_a_file_is_told_in_one_line(
    file: Path, case: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, told = WRONG[case]
    assert main([name, *arguments, *(["-o", "net.dot"] if name == "draw" else [])]) == 1
    output = capsys.readouterr()
    lines = [line for line in output.err.splitlines() if line != "loading"]
    assert len(lines) == 1 and re.search(told, lines[0]), lines
    assert lines[0].startswith("graphnet: ") and not output.out
    assert not Path("net.dot").exists()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = 1\ny = x / 0\n", r"bad\.py:2: ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", r"bad\.py:1: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def f(:\n", r"bad\.py:1: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", r"bad\.py: it exits \(3\) when it is loaded; put what it runs below if __name__"),
        ("raise ValueError('a\\nb')\n", r"bad\.py:1: ValueError: a b"),
    ],
)
def test_a_file_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(code)
    assert main(["summary", "bad.py:net", "-i", "N,20"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(told, error), error
    with pytest.raises(gn.GraphnetError):
        main(["--debug", "summary", "bad.py:net", "-i", "N,20"])


def test_a_file_may_import_its_neighbours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "neighbour_of_net.py").write_text("WIDTH = 7\n")
    (tmp_path / "net.py").write_text(
        "from neighbour_of_net import WIDTH\nfrom graphnet import nn\nnet = nn.LazyLinear(WIDTH)\n"
    )
    before = list(sys.path)
    assert main(["summary", f"{tmp_path}/net.py:net", "-i", "N,2"]) == 0
    assert "(N, 7)" in capsys.readouterr().out
    assert sys.path == before


# -- bench ------------------------------------------------------------------------------------------------


def test_bench(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = gn.get_num_threads()
    assert main(["bench", "--seconds", "0.001", "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["threads"] == 1 and gn.get_num_threads() == threads
    assert len(found["results"]) == 12
    assert all(result["microseconds"] > 0 for result in found["results"])
    assert main(["bench", "my-net.py:net", "-i", "64,20", "--seconds", "0.001"]) == 0
    text = capsys.readouterr().out
    assert "inference, compiled" in text and "GFLOP/s" in text
    assert main(["bench", "my-net.py:net", "-i", "N,20"]) == 1
    assert "give numbers for all sizes, such as --input 64,20" in capsys.readouterr().err


# -- shells -----------------------------------------------------------------------------------------------


def test_shells_complete_words() -> None:
    def completed(*words: str, shell: str = "bash") -> list[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        environment |= {"_GRAPHNET_COMPLETE": f"complete_{shell}", "COMP_WORDS": " ".join(words)}
        environment |= {"COMP_CWORD": str(len(words) - 1), "_TYPER_COMPLETE_ARGS": " ".join(words)}
        done = subprocess.run(
            [sys.executable, "-m", "graphnet"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert completed("graphnet", "tr") == ["train"]
    assert completed("graphnet", "train", "d") == ["digits"]
    assert completed("graphnet", "draw", "--dir") == ["--direction"]
    assert completed("graphnet", "draw", "net.py:net", "--direction", "") == ["LR", "TB", "RL", "BT"]
    assert any("summary" in word for word in completed("graphnet", "su", shell="zsh"))


def test_a_reader_that_has_enough_is_no_error() -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m graphnet info --json | head -n 1; exit ${{PIPESTATUS[0]}}',
        shell=True,
        executable="/bin/bash",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout == "{\n"
    assert not done.stderr

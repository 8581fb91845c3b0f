"""The command `graphnet`, as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn
from graphnet.cli import main
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
    assert "training: 100%" in done.stderr
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
    ],
)
def test_wrong_commands_are_told_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    output = capsys.readouterr()
    assert stopped.value.code == 2
    assert told in output.err
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
    ):
        assert any(line.startswith(name) and str(value) in line for line in text.splitlines()), name
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["threads"] == gn.get_num_threads()
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"graphnet {gn.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "digits", "--help"], ["info", "-h"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "usage: graphnet" in capsys.readouterr().out


def test_without_a_command_it_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out


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

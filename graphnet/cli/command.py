"""The command line: what can be asked for, and how errors are told.

Exit codes: 0 done, 1 it failed, 2 the command was wrong, 130 interrupted.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

import graphnet as gn
from graphnet.cli import bench as benches
from graphnet.cli import files, train
from graphnet.cli import info as infos

__all__ = ["main"]

_NAME = "graphnet"
_COMPLETE = "_GRAPHNET_COMPLETE"  # set by a shell that wants words to go on with
_UsageError: Any = typer.BadParameter.__mro__[1]  # typer has its own copy of click's classes


def _examples(*lines: str) -> str:
    return "Examples:\n\n" + "\n\n".join(lines)


app = typer.Typer(
    help="Neural networks as graphs: train an example, draw, summarize, export and measure networks in files.",
    epilog=_examples(
        "graphnet train digits",
        "graphnet draw net.py:net --input N,20 -o net.svg",
        "graphnet summary net.py:net --input N,20",
    ),
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_training = typer.Typer(
    help="Train an example network.",
    epilog=_examples("graphnet train digits", "graphnet train digits --epochs 5 --out /tmp/quick"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(_training, name="train")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{_NAME} {gn.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Tell the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an error's traceback; it may stand anywhere.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@_training.callback(invoke_without_command=True)
def _which(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        raise _UsageError("what? choose digits", context)


# -- what options are ------------------------------------------------------------------------------------


def _number(kind: type[int] | type[float], what: str, fits: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """What reads an option's value."""

    def read(text: Any) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not fits(value):
            raise typer.BadParameter(f"expects {what}, got {text!r}")
        return value

    return read


_count = _number(int, "a whole number from 1 up", lambda n: n >= 1)
_level = _number(int, "a whole number from 0 up", lambda n: n >= 0)
_seed = _number(int, "a whole number from 0 up to 2**32", lambda n: 0 <= n <= 2**32)
_rate = _number(float, "a number above 0", lambda x: x > 0 and math.isfinite(x))


def _option(name: str, read: Callable[[Any], Any], help: str) -> Any:
    return typer.Option(f"--{name}", parser=read, metavar="N", help=help)


class Direction(str, Enum):
    """Where data flow in a picture."""

    LR = "LR"
    TB = "TB"
    RL = "RL"
    BT = "BT"


_Target = Annotated[str, typer.Argument(metavar="FILE.py:NAME", help="The network: a module, a graph or a function.")]
_Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="SHAPE", help="Shape of an input, such as N,20 or N:int64; once for each."),
]
_Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; its ending counts.")]
_Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


# -- the commands ----------------------------------------------------------------------------------------

_DEFAULT = train.Settings()


@_training.command(
    epilog=_examples(
        "graphnet train digits",
        "graphnet train digits --hidden 256 --epochs 60 --lr 0.005",
        "graphnet train digits --epochs 5 --out /tmp/quick",
        "It writes weights.npz (the trained parameters), graph.dot and graph.svg (the network as a graph; the picture "
        "where Graphviz is installed) and result.json (accuracy, settings, versions).",
    )
)
def digits(
    epochs: Annotated[int, _option("epochs", _count, "How often to go through the images.")] = _DEFAULT.epochs,
    batch_size: Annotated[int, _option("batch-size", _count, "Images per step.")] = _DEFAULT.batch_size,
    lr: Annotated[float, _option("lr", _rate, "Learning rate at the start; it falls to zero.")] = _DEFAULT.lr,
    hidden: Annotated[int, _option("hidden", _count, "Width of the hidden layers.")] = _DEFAULT.hidden,
    seed: Annotated[int, _option("seed", _seed, "Seed of the split, weights and order.")] = _DEFAULT.seed,
    threads: Annotated[int, _option("threads", _count, "Threads of the kernels.")] = _DEFAULT.threads,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.")] = train.OUT,
) -> None:
    """Train a multilayer perceptron on 1,797 handwritten digits, and test it on a held-out fifth."""
    train.digits(train.Settings(epochs, batch_size, lr, hidden, seed, threads), out)


@app.command(
    epilog=_examples(
        "graphnet draw net.py:net --input N,20 -o net.svg",
        "graphnet draw net.py:net -i N,20 -o net.html",
        "graphnet draw net.py:net -i N,20 --depth 1 --direction TB -o net.pdf",
        "The ending is one of .svg .png .pdf .dot .html .txt.",
    )
)
def draw(
    target: _Target,
    output: _Output,
    input: _Inputs = None,
    depth: Annotated[int | None, _option("depth", _level, "How many levels of modules are open.")] = None,
    direction: Annotated[Direction, typer.Option(help="Where data flow.")] = Direction.LR,
    legend: Annotated[bool, typer.Option(help="Tell what colours mean.")] = True,
    shared: Annotated[bool, typer.Option(help="Mark what shares weights.")] = True,
    collapse: Annotated[bool, typer.Option(help="Draw repeated blocks once.")] = True,
) -> None:
    """Draw a network into a file."""
    files.draw(target, input or [], output, depth, direction.value, legend=legend, shared=shared, collapse=collapse)


@app.command(
    epilog=_examples("graphnet summary net.py:net --input N,20", "graphnet summary net.py:net -i 64,20 --json")
)
def summary(target: _Target, input: _Inputs = None, json: _Json = False) -> None:
    """Tell the layers: shapes, parameters, what is shared, FLOPs, memory."""
    files.summary(target, input or [], as_json=json)


@app.command(
    epilog=_examples(
        "graphnet export net.py:net --input N,20 -o net.onnx",
        "graphnet export net.py:net -i N,20 -o net.json",
        "The ending is one of .onnx .json .dot.",
    )
)
def export(target: _Target, output: _Output, input: _Inputs = None) -> None:
    """Write a network for other tools: ONNX, JSON or DOT."""
    files.export(target, input or [], output)


@app.command(epilog=_examples("graphnet bench", "graphnet bench net.py:net --input 64,20 --threads 2"))
def bench(
    target: Annotated[str | None, typer.Argument(metavar="[FILE.py:NAME]", help="A network; else usual ones.")] = None,
    input: _Inputs = None,
    seconds: Annotated[float, _option("seconds", _rate, "How long each measurement takes.")] = 0.5,
    threads: Annotated[int | None, _option("threads", _count, "Threads of the kernels.")] = None,
    json: _Json = False,
) -> None:
    """Measure how fast networks run here, eager and compiled."""
    benches.run(target, input or [], seconds, threads, as_json=json)


@app.command(epilog=_examples("graphnet info", "graphnet info --json"))
def info(json: _Json = False) -> None:
    """Tell versions, the CPU's features and the kernels chosen for it, threads."""
    infos.show(as_json=json)


# -- running them ----------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    command = typer.main.get_command(app)
    if _COMPLETE in os.environ:
        command.main(prog_name=_NAME)  # answers the shell, and exits
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        with command.make_context(_NAME, [word for word in words if word != "--debug"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _told("interrupted", 130)
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _UsageError as error:
        where = error.ctx.command_path if getattr(error, "ctx", None) is not None else _NAME
        return _told(f"{error.format_message()} (see {where} --help)", 2, where)
    except Exception as error:
        if debug:
            raise
        text = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return _told(f"{text} (--debug shows more)", 1)
    return 0


def _told(text: str, code: int, who: str = _NAME) -> int:
    print(f"{who}: {' '.join(text.split())}", file=sys.stderr)
    return code

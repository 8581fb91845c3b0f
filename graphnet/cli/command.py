"""The command line: what can be asked for, and how errors are told.

Exit codes: 0 done, 1 it failed, 2 the command was wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import graphnet
from graphnet.cli import info, train

__all__ = ["main"]

_EXAMPLES = """\
examples:
  graphnet train digits                      train, then look into runs/digits
  graphnet train digits --epochs 5 --seed 1  shorter, with other random numbers
  graphnet train digits --hidden 32 --out /tmp/small
  graphnet info                              versions, instruction set, threads
"""
_TRAIN_EXAMPLES = """\
examples:
  graphnet train digits
  graphnet train digits --hidden 256 --epochs 60 --lr 0.005
  graphnet train digits --epochs 5 --out /tmp/quick

It writes into the output folder:
  weights.npz   the trained parameters: net.load_state_dict(numpy.load("weights.npz"))
  graph.dot     the network as a graph, in Graphviz's DOT language
  graph.svg     the same as a picture, where Graphviz is installed
  result.json   accuracy, settings and versions
"""


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _number(kind: type[int] | type[float], what: str, fits: Callable[[Any], bool]) -> Callable[[str], Any]:
    """What reads an option's value."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not fits(value):
            raise argparse.ArgumentTypeError(f"expects {what}, got {text!r}")
        return value

    return read


_count = _number(int, "a whole number from 1 up", lambda n: n >= 1)
_seed = _number(int, "a whole number from 0 up to 2**32", lambda n: 0 <= n <= 2**32)
_rate = _number(float, "a number above 0", lambda x: x > 0 and math.isfinite(x))


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="graphnet",
        description="Neural networks as graphs: train an example, look at the installation.",
        epilog=_EXAMPLES,
        formatter_class=layout,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"graphnet {graphnet.__version__}")
    parser.add_argument("--debug", action="store_true", help="show an error's traceback")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    training = commands.add_parser("train", help="train an example network", allow_abbrev=False)
    training.set_defaults(parser=training)
    examples = training.add_subparsers(dest="example", metavar="EXAMPLE")
    digits = examples.add_parser(
        "digits",
        help="a multilayer perceptron on 1,797 handwritten digits",
        description="Train a multilayer perceptron on the UCI handwritten digits and test it on a held-out fifth.",
        epilog=_TRAIN_EXAMPLES,
        formatter_class=layout,
        allow_abbrev=False,
    )
    defaults = train.Settings()
    for name, read, meaning in (
        ("epochs", _count, "how often to go through the training images"),
        ("batch-size", _count, "images per step"),
        ("lr", _rate, "learning rate at the start; it falls to zero"),
        ("hidden", _count, "width of the hidden layers"),
        ("seed", _seed, "seed of the split, the weights and the order"),
        ("threads", _count, "threads of the kernels; layers this small gain nothing from more"),
    ):
        value = getattr(defaults, name.replace("-", "_"))
        digits.add_argument(f"--{name}", type=read, default=value, metavar="N", help=f"{meaning} (default: {value})")
    digits.add_argument(
        "--out", type=Path, default=train.OUT, metavar="DIR", help=f"output folder (default: {train.OUT})"
    )
    digits.set_defaults(run=_train)

    about = commands.add_parser(
        "info", help="versions, instruction set, threads", description="Tell versions, instruction set and threads."
    )
    about.add_argument("--json", action="store_true", help="as JSON")
    about.set_defaults(run=lambda arguments: info.show(as_json=arguments.json))
    for last in (digits, about):  # --debug may come last, too; SUPPRESS keeps one that came before the command
        last.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show an error's traceback")
    return parser


def _train(arguments: argparse.Namespace) -> None:
    train.digits(
        train.Settings(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(train.Settings)}),
        arguments.out,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "run"):
        if argv if argv is not None else sys.argv[1:]:
            chosen = getattr(arguments, "parser", parser)
            chosen.error("what? choose digits" if chosen is not parser else "what? choose train or info")
        parser.print_help()
        return 0
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("graphnet: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if arguments.debug:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"graphnet: {text} (--debug shows more)", file=sys.stderr)
        return 1
    return 0

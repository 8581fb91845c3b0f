"""Draws the pictures of this folder: python docs/pictures.py (needs Graphviz)."""

from __future__ import annotations

import sys
from pathlib import Path

import graphnet as gn
from graphnet.cli.train import network
from graphnet.export.render import svg

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Draw them all."""
    for name, net, size in [("digits", network(128), 64)]:
        picture = svg(gn.trace(net, ("N", size)).to_dot())
        if picture is None:
            sys.exit("pictures: the program dot is missing; on Debian: apt-get install graphviz")
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"wrote {FOLDER / name}.svg")


if __name__ == "__main__":
    main()

"""The command `graphnet`."""

from graphnet.cli.command import main

__all__ = ["main"]

"""`python -m graphnet` is the command `graphnet`."""

import sys

from graphnet.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m kerasgan` is the `kerasgan` command."""

import sys

from kerasgan.cli import main

if __name__ == "__main__":
    sys.exit(main())

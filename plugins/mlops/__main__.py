"""``python -m mlops``."""

from __future__ import annotations

import sys

from mlops.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

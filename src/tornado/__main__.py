"""The command ``python -m tornado``; ``python -m tornado --help`` describes it."""

from __future__ import annotations

import sys

from tornado._serve.command import main

if __name__ == "__main__":
    sys.exit(main())

"""Entry point of `python -m flatnet.programs`."""

import sys

from flatnet.programs.cli import main

sys.exit(main())

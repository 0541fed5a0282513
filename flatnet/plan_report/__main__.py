"""Entry point of `python -m flatnet.plan_report`."""

import sys

from flatnet.plan_report.cli import main

sys.exit(main())

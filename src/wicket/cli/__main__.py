"""`python -m wicket.cli`."""

from __future__ import annotations

import sys

from wicket.cli.main import main

sys.exit(main())

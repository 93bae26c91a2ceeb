"""`python -m wicket.engines.host`."""

import sys

from wicket.engines.host.main import main

if __name__ == "__main__":
    sys.exit(main())

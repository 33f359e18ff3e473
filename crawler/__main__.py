"""`python -m crawler`."""

import sys

try:
    from crawler.cli import main

    status = main()
except KeyboardInterrupt:  # while modules are being imported, nothing has begun
    status = 3
sys.exit(status)

"""`python -m audiosockets`."""

import sys

from audiosockets.cli import main

sys.exit(main())

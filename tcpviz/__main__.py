"""``python -m tcpviz`` is ``tcpviz``."""

import sys

from tcpviz.cli import main

sys.exit(main())

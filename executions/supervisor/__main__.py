"""``python -I -S __main__.py FD TIME_LIMIT LINES BYTES COMMAND…``; ``FD`` is the run's directory."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from executions.supervisor.supervisor import main

sys.exit(main(*sys.argv[1:]))

"""Where the integration tests' helpers are: the chaos suite uses the same services, workers and ledger, and copies none."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
os.environ.setdefault("POINTSMAN_BIN", os.environ.get("POINTSMAN_FAULTS_BIN", str(ROOT / "build/faults/pointsman")))

PATIENCE = float(os.environ.get("POINTSMAN_CHAOS_PATIENCE", "1"))  # all bounds on waiting are multiplied by it

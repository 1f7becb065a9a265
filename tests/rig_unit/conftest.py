"""Tests of the rig's own parts that need no Go, no namespace and no cluster: they run with everything else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # `rig` is no part of the installed product

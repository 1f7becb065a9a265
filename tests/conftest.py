"""Makes tests/support importable: fakes and builders that several folders of tests share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

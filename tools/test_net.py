"""Test a checkpoint: python tools/test_net.py --checkpoint runs/motion_vivit_tl8 eval.clips=4 eval.crops=3"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("test")

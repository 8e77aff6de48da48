"""Show where the time of a training step goes: python tools/profile_train.py --cfg configs/motion_vivit_tl8.yaml"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("profile")

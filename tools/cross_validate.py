"""Train and test over folds: python tools/cross_validate.py --cfg configs/weizmann4_vivit_tl8.yaml data.root=DIR"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("cross_validate")

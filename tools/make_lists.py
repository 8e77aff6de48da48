"""Lists of any form into vidtok's own: python tools/make_lists.py train.csv --to data/k400/train.csv --root k400"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("lists")

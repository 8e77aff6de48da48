"""Make videos cheap to decode: python tools/prepare_videos.py data/train.csv data/val.csv data256"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("prepare")

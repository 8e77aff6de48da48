"""Parameters and multiply-adds of all models: python tools/model_table.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("models")

"""Say which frames and crops are seen: python tools/explain.py configs/k400_vivit_tl8.yaml VIDEO --out sheet.png"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("explain")

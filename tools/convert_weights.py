"""Convert weights: python tools/convert_weights.py vit.npz --to vit.safetensors --model vivit_b16x2"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.cli import main

if __name__ == "__main__":
    main("convert")

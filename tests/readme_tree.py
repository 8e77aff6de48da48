"""The README's file tree, made from the first lines of the files: `python -m tests.readme_tree` writes it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKERS = ("<!-- tree:start -->", "<!-- tree:end -->")
FOLDERS = {
    "vidtok": "the package; a module imports lower floors only (tests/test_floors.py)",
    "vidtok/video": "files and pixels: no labels, no models",
    "vidtok/nn": "layers",
    "vidtok/nn/mixers": "token mixers, one file each",
    "vidtok/data": "lists, views, crops, batches",
    "vidtok/data/formats": "forms of lists, a file for each kind",
    "vidtok/models": "networks and what they cost",
    "vidtok/models/weights": "foreign weights in, one file for each format",
    "vidtok/viz": "what a network looks at",
    "vidtok/train": "the training run",
    "vidtok/cli": "the commands",
    "tools": "scripts that call vidtok/cli, and benches",
    "configs": "one flat YAML file for a run",
}


def first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return text.splitlines()[0].lstrip("# ").rstrip(".")
    documentation = ast.get_docstring(ast.parse(text)) or ""
    return documentation.split("\n")[0].split(": python ")[0].rstrip(".")


def tree() -> str:
    lines = []
    for folder, words in FOLDERS.items():
        lines.append(f"{folder + '/':<34}{words}")
        files = sorted((*(ROOT / folder).glob("*.py"), *(ROOT / folder).glob("*.yaml")))
        for path in files:
            said = first_line(path)
            if said:
                lines.append(f"    {path.name:<30}{said}")
    lines.append(f"{'data_lists/':<34}class names of public data sets")
    lines.append(
        f"{'tests/':<34}mirrors vidtok/ path for path; tests/references/ has the plain-loop forms of the mixers"
    )
    return "```\n" + "\n".join(lines) + "\n```"


def split(text: str) -> tuple[str, str, str]:
    before, rest = text.split(MARKERS[0])
    inside, behind = rest.split(MARKERS[1])
    return before + MARKERS[0], inside.strip(), MARKERS[1] + behind


if __name__ == "__main__":
    readme = ROOT / "README.md"
    head, _, tail = split(readme.read_text(encoding="utf-8"))
    readme.write_text(f"{head}\n{tree()}\n{tail}", encoding="utf-8")

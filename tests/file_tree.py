"""The file tree in docs/tree.md, made from the first lines of the files: `python -m tests.file_tree` writes it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tree.md"
HEADING = "# Where is what"
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
    "vidtok/infer": "a model and videos in, records out",
    "vidtok/train": "the training run",
    "vidtok/runs": "what a user does, a function each",
    "vidtok/page": "the page in the browser, and the server behind it",
    "vidtok/cli": "the commands: arguments in, one call, exit status out",
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


if __name__ == "__main__":
    PAGE.write_text(f"{HEADING}\n\n{tree()}\n", encoding="utf-8")

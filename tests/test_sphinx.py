"""The documentation as Sphinx builds it: the pages of docs/, and docstrings that are shown as they are written."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from tests.conftest import ROOT, tool_options
from tests.opened import opened
from vidtok.infer.predict import VideoClassifier
from vidtok.nn.mixers.super_token import SuperToken
from vidtok.video.reader import VideoReader

for package in ("sphinx", "myst_nb", "pydata_sphinx_theme"):
    pytest.importorskip(package, reason="pip install 'vidtok[docs]'")
# Both come with these.
bs4 = pytest.importorskip("bs4")
docutils_core = pytest.importorskip("docutils.core")

DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).with_suffix("") for kind in ("md", "ipynb") for page in DOCS.rglob(f"*.{kind}"))
HIDDEN = "(*args, **kwargs)"


@pytest.fixture(scope="module")
def docstrings() -> Iterator[ModuleType]:
    """docs/docstrings.py, which is no part of a package."""
    with opened(DOCS / "docstrings.py") as module:
        yield module


def parts_of(rst: str) -> list[tuple[str, str]]:
    """The kind of each part, and its text; a message of docutils is an error."""
    tree = docutils_core.publish_doctree(rst, settings_overrides={"report_level": 1, "halt_level": 1})
    return [(part.tagname, part.astext()) for part in tree.children]


def shown(docstrings: ModuleType, text: str) -> list[tuple[str, str]]:
    return parts_of("\n".join(docstrings.as_rst(inspect.cleandoc(text).splitlines())))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param(
            "A mean:\n\n    n = f (1 - f)\n      / v_\n\n    m = 0\n\nwith v the variance.",
            [
                ("paragraph", "A mean:"),
                ("literal_block", "n = f (1 - f)\n  / v_\n\nm = 0"),
                ("paragraph", "with v the variance."),
            ],
            id="a formula",
        ),
        pytest.param(
            "Forms.\n\naxes   joint   *them*\n       time    of a place",
            [("paragraph", "Forms."), ("literal_block", "axes   joint   *them*\n       time    of a place")],
            id="a table whose first row is at the margin",
        ),
        pytest.param("a   1\nbc  2", [("literal_block", "a   1\nbc  2")], id="a table at the margin"),
        pytest.param("a   1", [("paragraph", "a   1")], id="a line with blanks"),
        pytest.param(
            "The models are\n    Model 1   joint\n    Model 3   factorised\nand one more.",
            [
                ("paragraph", "The models are"),
                ("literal_block", "Model 1   joint\nModel 3   factorised"),
                ("paragraph", "and one more."),
            ],
            id="lines that are indented within a paragraph",
        ),
        pytest.param(
            "So::\n\n    a_ *b\n\nand so.",
            [("paragraph", "So:"), ("literal_block", "a_ *b"), ("paragraph", "and so.")],
            id="a block that is literal already",
        ),
        pytest.param(
            "Two:\n\n- one, and\n  more of *it\n\n  with x_\n- two",
            [("paragraph", "Two:"), ("bullet_list", "one, and\nmore of *it\n\nwith x_\n\ntwo")],
            id="indented text of a list's item",
        ),
        pytest.param("1. one\n2. two\n", [("enumerated_list", "one\n\ntwo")], id="numbers"),
        pytest.param("* one *\n* two", [("bullet_list", "one *\n\ntwo")], id="bullets that would be emphasis"),
        pytest.param(
            "x_ and x__ and __init__, *args, **kwargs, |q - p|, a lone ` and C:\\new, [1]_.",
            [("paragraph", "x_ and x__ and __init__, *args, **kwargs, |q - p|, a lone ` and C:\\new, [1]_.")],
            id="signs that would be markup",
        ),
        pytest.param(
            "`x_`s of `out`/features, (`a*`) and `/(p\\d+)_/`, `two\nlines`, ``both``.",
            [("paragraph", "x_s of out/features, (a*) and /(p\\d+)_/, two\nlines, ``both``.")],
            id="code beside letters",
        ),
        *(
            pytest.param(text, [("paragraph", text)], id=f"begins with {text.split()[0]}")
            for text in (
                ".. no directive",
                ">>> no_example()",
                ":no: field",
                "A. Vaswani",
                "| no verse",
                "*args",
                "-- no option",
            )
        ),
    ],
)
def test_a_docstring_is_shown_as_it_is_written(docstrings, text, parts):
    assert shown(docstrings, text) == parts


def test_a_docstring_may_begin_with_a_block(docstrings):
    assert docstrings.as_rst(["    x_", "", "so"]) == ["::", "", "    x_", "", "so", ""]


def test_single_backticks_are_code(docstrings):
    assert docstrings.as_rst(["`x`s, `y`"]) == ["`x`\\ s, `y`", ""]


def docstrings_of(path: Path) -> list[str]:
    """Every docstring of a module, those below attributes too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef):
            found += [part.value for part in node.body if isinstance(part, ast.Expr)]
        elif isinstance(node, ast.FunctionDef) and isinstance(node.body[0], ast.Expr):
            found.append(node.body[0].value)
    texts = [part.value for part in found if isinstance(part, ast.Constant)]
    return [inspect.cleandoc(text) for text in texts if isinstance(text, str)]


@pytest.mark.slow
def test_no_docstring_of_the_package_loses_a_sign(docstrings):
    count = 0
    for path in sorted((ROOT / "vidtok").rglob("*.py")):
        texts = docstrings_of(path)
        count += len(texts)
        # Between two of them a comment, so that blocks of both do not become one.
        rst = "\n\n..\n\n".join("\n".join(docstrings.as_rst(text.splitlines())) for text in texts)
        kept = "".join(text for kind, text in parts_of(rst) if kind != "comment")
        assert re.sub(r"[\s`]", "", kept) == re.sub(r"[\s`]", "", "".join(texts)), path
    assert count > 1000


def signature(docstrings: ModuleType, of: object, text: str) -> str | None:
    found = docstrings.signature_of(None, "class", "", of, None, text, None)
    return None if found is None else found[0]


def test_a_class_says_what_it_is_made_with(docstrings):
    """Even where a base hides it behind `*args, **kwargs`."""
    told = signature(docstrings, VideoClassifier, HIDDEN)
    assert told is not None
    assert told.startswith("(network: ~vidtok.models.network.Network, *, mean: ~collections.abc.Sequence[float], std:")
    assert signature(docstrings, VideoReader, HIDDEN) == ""
    assert signature(docstrings, object, "(*, a: dict = <factory>)") == "(*, a: dict = ...)"


def test_a_section_of_the_configuration_shows_its_keys(docstrings):
    class Inner(BaseModel):
        size: Annotated[int, Field(ge=1)] = 3

    class Outer(BaseModel):
        inner: Inner = Inner()
        rates: dict[str, Annotated[float, Field(ge=0)]]
        name: str = "x"

    assert signature(docstrings, Inner, "(…)") == "(*, size: int = 3)"
    told = "(*, inner: Inner = Inner(), rates: dict[str, float], name: str = 'x')"
    assert re.sub(r"~[\w.<>]+\.", "", signature(docstrings, Outer, "(…)") or "") == told


class Built:
    """The pages that were written, read once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pages = {
            path: bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            for path in folder.rglob("*.html")
            if "_static" not in path.parts
        }

    def page(self, name: str):
        return self.pages[self.folder / f"{name}.html"]

    def entry(self, page: str, name: str) -> tuple[str, Any]:
        """The signature of a class or a function, with single blanks, and what is said below it."""
        (head,) = self.page(page).find_all("dt", id=name)
        body = head.find_next_sibling("dd")
        return " ".join(head.get_text().split()), body


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    folder = tmp_path_factory.mktemp("docs") / "html"  # myst-nb writes beside it
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    options = tool_options(timeout=600)
    options["env"]["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, **options)
    assert done.returncode == 0, done.stderr
    return Built(folder)


@pytest.mark.slow
def test_every_page_is_built_and_can_be_found(built):
    assert len(PAGES) > 25
    links = built.page("fit").select(".bd-sidebar-primary a[href]")
    listed = {str((built.folder / link["href"]).relative_to(built.folder)) for link in links}
    for page in PAGES:
        heading = built.page(str(page)).h1
        assert heading is not None, page
        source = (DOCS / page).with_suffix(".md")
        if source.is_file() and (first := source.read_text(encoding="utf-8").splitlines()[0]).startswith("# "):
            assert heading.get_text().rstrip("#") == first.removeprefix("# ").replace("`", "")
        if page.name not in ("index", "fit"):  # no entry of its own list, and the page that is asked
            assert f"{page}.html" in listed, f"docs/{page} stands in no toctree of docs/index.md"


@pytest.mark.slow
def test_links_lead_somewhere(built):
    ids = {path: {str(tag["id"]) for tag in soup.find_all(id=True)} for path, soup in built.pages.items()}
    count, wrong = 0, []
    for path, soup in built.pages.items():
        for link in soup.select("article a[href]"):
            target, _, place = str(link["href"]).partition("#")
            if "://" in target:
                continue
            file = (path.parent / target).resolve() if target else path
            count += 1
            if not file.is_file() or (place and place not in ids[file]):
                wrong.append(f"{path.name}: {link['href']}")
    assert not wrong
    assert count > 200
    (outside,) = built.page("lists").select('article a:-soup-contains("data_lists")')
    assert outside["href"] == "class_names.html"
    assert "Kinetics-400" in built.page("class_names").get_text()


@pytest.mark.slow
def test_formulas_and_pictures_keep_their_lines(built):
    _, body = built.entry("api/records", "vidtok.infer.bootstrap.interval")
    assert [block.get_text().strip() for block in body.find_all("pre")] == ["n = f (1 - f) / (v u / (u - 1) + m)"]
    _, body = built.entry("api/mixers", "vidtok.nn.mixers.super_token.SuperToken")
    block = body.find("pre")
    assert block is not None
    picture = inspect.cleandoc(block.get_text())
    assert len(picture.splitlines()) == 3
    assert picture in re.sub("(?m)^    ", "", inspect.getdoc(SuperToken) or "")


@pytest.mark.slow
def test_signatures_say_shapes_types_and_defaults(built):
    head, _ = built.entry("api/mixers", "vidtok.nn.mixers.mhsa.MHSA.attention_map")
    assert "x: Float[Tensor, 'b *axes d']" in head
    assert "→ tuple[Float[Tensor, 'b heads r n'], Float[Tensor, 'b *axes d']]" in head
    head, body = built.entry("api/vidtok", "vidtok.predict")
    assert "max_views: int = 96" in head
    assert "no more than max_views clips" in " ".join(body.get_text().split())
    head, _ = built.entry("api/models", "vidtok.infer.predict.VideoClassifier")
    assert "classes: Sequence[str]" in head
    head, body = built.entry("api/config", "vidtok.config.EvalConfig")
    assert "clips: int = 4" in head
    assert r"/(person\d+)_" in [code.get_text() for code in body.find_all("code")]


@pytest.mark.slow
def test_every_name_of_the_package_is_described(built):
    import vidtok

    for name in vidtok.__all__:
        _, body = built.entry("api/vidtok", f"vidtok.{name}")
        assert body.find("p"), name


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(built):
    for path, soup in built.pages.items():
        asked = [
            str(tag.get("src") or tag.get("href") or "")
            for tag in soup.find_all(["script", "link", "img", "iframe", "source", "video"])
        ]
        assert any(name.endswith(".js") or ".js?" in name for name in asked), path
        assert not [name for name in asked if re.match(r"(https?:)?//", name)], path
    for sheet in built.folder.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), sheet

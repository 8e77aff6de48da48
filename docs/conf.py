"""Sphinx's settings: the pages of this folder, and the public names from their docstrings. `make docs` builds them."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))  # docstrings.py lies here

project = "vidtok"
extensions = ["myst_nb", "sphinx.ext.autodoc", "docstrings"]
default_role = "code"
highlight_language = "text"
smartquotes = False
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
templates_path = ["_templates"]

myst_heading_anchors = 3
nb_execution_mode = "off"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # those of torch are written in another markup

html_theme = "pydata_sphinx_theme"
html_title = "vidtok"
html_copy_source = False
html_sidebars = {"**": ["pages.html"]}
html_theme_options = {"navbar_center": [], "show_toc_level": 2}

# What lies outside of this folder, and the page that shows it here: the links of the pages are those of the checkout.
OUTSIDE = {"../data_lists/README.md": "class_names.md"}


def links_within(app: Sphinx, docname: str, source: list[str]) -> None:
    for path, page in OUTSIDE.items():
        source[0] = source[0].replace(f"]({path})", f"]({page})")


def setup(app: Sphinx) -> None:
    app.connect("source-read", links_within)

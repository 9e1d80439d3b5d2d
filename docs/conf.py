"""Sphinx configuration of the documentation site.

The source folder is the repository, so that README, changelog and pages of docs/ are written once
and link to each other as they do as plain text:

    uv run --group docs sphinx-build -W -n -c docs . build/site
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "site_extension",
]

project = "bayescpt"
author = "The bayescpt authors"
copyright = "The bayescpt authors. Apache-2.0"
release = version_of("bayescpt")
version = release
language = "en"

root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "SECURITY.md",
    "bayescpt/data/examples/README.md",
    "case_studies/*.ipynb",
]
exclude_patterns = [".*", "build", "dist", "tests", "bayescpt-demo"]

# Markdown: formulas between dollars, links to headings.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Case studies are shown as they were committed; they are run by another step of .ci/run.
nb_execution_mode = "off"
# Blocks without a language are commands and what they print.
highlight_language = "none"

# Docstrings. Types stand in their text, and signatures without them are readable.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False
# A name in single backquotes is a link if it is a full name of something documented, and else
# (a parameter, a column) code. Full names that lead nowhere are errors.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", r"(?!bayescpt\.)[\s\S]*")]

# External addresses are not fetched in a build, which needs no network. On a machine that has one:
#   uv run --group docs sphinx-build -b linkcheck -c docs . build/links
linkcheck_timeout = 20
linkcheck_workers = 4
linkcheck_anchors = False

html_theme = "pydata_sphinx_theme"
html_title = f"bayescpt {release}"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# Formulas are MathML: drawn by the browser, without a script or a network.
html_math_renderer = "mathml"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_center": [],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"**": ["pages.html"]}
html_context = {"default_mode": "auto"}

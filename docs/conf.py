"""Sphinx settings of the documentation site; `make docs` builds it without a network, with warnings as errors."""

import importlib
import sys
from pathlib import Path

from numpydoc.xref import DEFAULT_LINKS
from sphinx_gallery.sorting import ExplicitOrder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "dnsp"
author = "The dnsp developers"
copyright = "The dnsp developers, Apache-2.0"  # noqa: A001  # Sphinx's name
version = release = importlib.import_module("dnsp._version").__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "api_reference",
    "cli_reference",
    "recipe_reference",
    "root_pages",
]
exclude_patterns = [
    "_build",
    "_ext",
    "auto_examples/*.ipynb",
    "auto_examples/*.py",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
suppress_warnings = ["config.cache"]  # the settings of the gallery hold an object
default_role = "py:obj"
smartquotes = False  # they turn --option into a dash

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's types say the same in words
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = {name: name for name in DEFAULT_LINKS}  # no link leaves the site
numpydoc_xref_ignore = {"optional", "shape", "of", "or", "and", "to", "the", "a", "by", "in", "with", "default", "ints"}

EXAMPLES = [
    "plot_enhance",
    "plot_thick_slices",
    "plot_low_rank_prior",
    "plot_sharpness_filters",
    "plot_training",
    "plot_evaluation",
]
sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples" / "gallery"),
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder([f"{name}.py" for name in EXAMPLES]),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "copyfile_regex": "",
    "min_reported_time": 1e9,
    "reference_url": {"dnsp": None},
    "capture_repr": (),
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "dnsp"
html_static_path = ["_static"]
html_css_files = ["dnsp.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "dnsp"},
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    # Code and figures of the examples get the whole width.
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], **{f"auto_examples/{name}": [] for name in EXAMPLES}},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": []}

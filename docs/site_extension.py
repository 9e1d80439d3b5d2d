"""What the site needs beyond Sphinx: formulas as MathML, the help of the command line, links."""

import inspect
import os
import pkgutil
import posixpath
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[1]


def show_formula(translator, node):
    """Write a formula in a line of text as MathML, which browsers draw without a script."""
    translator.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def show_block(translator, node):
    """Write a formula of its own line as MathML, which a narrow screen scrolls."""
    label = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    formula = convert(node.astext(), display="block")
    translator.body.append(f'<div class="formula"{label} tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def help_of_commands():
    """Name, one line and full help of each command, from the parser itself."""
    # Typer writes for the screen that there is.
    os.environ["COLUMNS"] = "80"
    import typer

    from bayescpt.cli import app

    group = typer.main.get_command(app)
    top = group.make_context("bayescpt", [], resilient_parsing=True)
    yield "bayescpt", "", group.get_help(top)
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        context = command.make_context(name, [], parent=top, resilient_parsing=True)
        yield f"bayescpt {name}", command.get_short_help_str(100), command.get_help(context)


class CommandHelp(SphinxDirective):
    """The help of every command, under a heading each."""

    def run(self):
        """Return the sections."""
        self.env.note_dependency(str(ROOT / "bayescpt" / "cli" / "__init__.py"))
        sections = []
        for name, short, text in help_of_commands():
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title("", "", nodes.literal("", name))
            if short:
                section += nodes.paragraph("", short)
            section += nodes.literal_block(text, text, language="none")
            sections.append(section)
        return sections


def link_modules(app, doctree):
    """Turn links to Python files of the package into links to their modules on the site."""
    for node in list(doctree.findall(addnodes.download_reference)):
        target = node["reftarget"]
        folder = posixpath.dirname(app.env.docname)
        path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
        path = posixpath.normpath(path)
        if not (path.startswith("bayescpt/") and path.endswith(".py")):
            continue
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        link = addnodes.pending_xref(
            "",
            *node.children,
            refdomain="py",
            reftype="mod",
            reftarget=module,
            refexplicit=True,
            refwarn=True,
            refdoc=app.env.docname,
        )
        node.replace_self(link)


def homes_of(target):
    """Names under which what a name means, or else what holds it, may be documented."""
    while target.startswith("bayescpt."):
        try:
            found = pkgutil.resolve_name(target)
        except (AttributeError, ImportError):
            found = None
        home = getattr(found, "__module__", None)
        if inspect.ismodule(found):
            yield found.__name__
        elif home and hasattr(found, "__qualname__"):
            yield f"{home}.{found.__qualname__}"
            yield f"bayescpt.{found.__qualname__}"
        target = target.rpartition(".")[0]
        yield target


def exists(target):
    """Whether a full name means something, be it a field without a value."""
    holder, _, name = target.rpartition(".")
    try:
        found = pkgutil.resolve_name(holder)
    except (AttributeError, ImportError, ValueError):
        return False
    bases = getattr(found, "__mro__", ())
    fields = {field for base in bases for field in inspect.get_annotations(base)}
    return hasattr(found, name) or name in fields


def resolve_public_name(app, env, node, contnode):
    """Resolve another name of something documented, and a constant to what holds it."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("bayescpt.") or not exists(target):
        return None
    domain = env.domains.python_domain
    for name in homes_of(target):
        found = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, contnode)
        if found is not None:
            return found
    return None


def short_signature(app, what, name, obj, options, signature, returns):
    """Leave out defaults that are objects with pages of fields."""
    if what == "class" and signature and "Parameter(" in signature:
        return f"({', '.join(inspect.signature(obj).parameters)})", returns
    return None


def setup(app):
    """Register all of it."""
    app.add_html_math_renderer("mathml", (show_formula, None), (show_block, None))
    app.add_directive("command-help", CommandHelp)
    # Before Sphinx collects the files to be downloaded.
    app.connect("doctree-read", link_modules, priority=400)
    app.connect("missing-reference", resolve_public_name)
    app.connect("autodoc-process-signature", short_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

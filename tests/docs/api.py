"""Generates docs/api.md from the docstrings of the public API; `make api` runs it."""

from __future__ import annotations

import ast
import re
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PAGE = ROOT / "docs" / "api.md"
_HEAD = """\
# API

What Python code may rely on. [Versions](versions.md) says what a release may change, and the
[notebook page](notebook.md) shows the API in use. `make api` writes this page from the docstrings.
"""
_WIDTH = 100
_SECTION = re.compile(r"(Args|Returns|Raises|Yields):")
_ENTRY = re.compile(r"(?P<name>\w+): (?P<text>.*)")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function | ast.Assign | ast.AnnAssign


class Defined(NamedTuple):
    """Where a public name is defined."""

    node: Definition
    docstring: str
    module: str


def page() -> str:
    """Return the page."""
    shown = list(parts())
    contents = [f"- [{title}](#{_anchor(title)}): {', '.join(map(_link, names))}" for title, _, names in shown]
    sections = (_section(title, module, names) for title, module, names in shown)
    return "\n".join([_HEAD, *contents, "", *(line for section in sections for line in section)]).rstrip() + "\n"


def parts() -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield title, module and names of each part."""
    named = _named_by_archive()
    yield "Archives", "mcp_cxr.archive", ("open_archive", "Archive", *named.pop("mcp_cxr.archive", ()))
    yield from ((f"Used with Archive: {module}", module, names) for module, names in named.items())
    yield "Stores", "mcp_cxr.stores", ("Store",)
    yield "Embedders", "mcp_cxr.embeddings", ("Embedder",)
    yield "Records", "mcp_cxr.records", _offered("mcp_cxr.records")
    errors = (node.name for node in _tree("mcp_cxr.errors").body if isinstance(node, ast.ClassDef))
    yield "Errors", "mcp_cxr.errors", tuple(errors)


def _named_by_archive() -> dict[str, list[str]]:
    """Return what the signatures of `Archive` name, by package, without what has a part of its own."""
    classes = _private_bases("mcp_cxr.archive._archive", "Archive")
    named = {
        found.id
        for _, node in classes
        for method in _public_functions(node)
        for hint in (method.returns, *(one.annotation for one in (*method.args.args, *method.args.kwonlyargs)))
        if hint
        for found in ast.walk(hint)
        if isinstance(found, ast.Name)
    }
    packages: dict[str, set[str]] = {}
    for node in (node for module, _ in classes for node in ast.walk(_tree(module))):
        match node:
            case ast.ImportFrom(module=("mcp_cxr.records" | "mcp_cxr.stores" | "mcp_cxr.embeddings")):
                continue
            case ast.ImportFrom(module=str(package)) if package.startswith("mcp_cxr."):
                wanted = {one.name for one in node.names if one.name in named}
                packages.setdefault(package.partition("._")[0], set()).update(wanted)
            case _:
                continue
    return {package: sorted(names) for package, names in sorted(packages.items()) if names}


def _private_bases(module: str, name: str) -> list[tuple[str, ast.ClassDef]]:
    """Return a class, and after it the classes of private modules that it is made of, each with its module."""
    node = _definition(module, name).node
    assert isinstance(node, ast.ClassDef)
    bases = [one.id for one in node.bases if isinstance(one, ast.Name)]
    found = [(module, node)]
    for base in bases:
        for imported in ast.walk(_tree(module)):
            match imported:
                case ast.ImportFrom(module=str(place), names=names) if "._" in place and base in {
                    a.name for a in names
                }:
                    found += _private_bases(place, base)
                case _:
                    continue
    return list(reversed(dict.fromkeys(reversed(found))))  # what several are made of comes last


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


def _path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _offered(module: str) -> tuple[str, ...]:
    (offered,) = (node for node in _tree(module).body if _names_of(node) == ["__all__"])
    assert isinstance(offered, ast.Assign)
    return tuple(ast.literal_eval(offered.value))


def _definition(module: str, name: str) -> Defined:
    """Return where a name is defined that a module defines or imports."""
    tree = _tree(module)
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if name in _names_of(node):
            assert isinstance(node, Definition)
            has_own = isinstance(node, ast.ClassDef | Function)
            return Defined(node, (ast.get_docstring(node) or "") if has_own else _string(after), module)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(one.name == name for one in node.names):
            return _definition(node.module or "", name)
    raise LookupError(f"{module} neither defines nor imports {name}.")


def _names_of(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _string(node: ast.stmt | None) -> str:
    """Return the text of the docstring below a field or constant; empty if there is none."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return cleandoc(text)
        case _:
            return ""


def _section(title: str, module: str, names: Sequence[str]) -> Iterator[str]:
    yield from (f"## {title}", "", f"Import from `{module}`.", "")
    if title == "Errors":
        yield from _markdown(ast.get_docstring(_tree(module)) or "")
    for name in names:
        node, docstring, place = _definition(module, name)
        yield from (f"### {name}", "")
        match node:
            case ast.ClassDef():
                yield from _class(node, docstring, [one for _, one in _private_bases(place, name)])
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from (*_signature(node), *_markdown(docstring))
            case _:
                yield from ("```python", ast.unparse(node), "```", "", *_markdown(docstring))


def _class(node: ast.ClassDef, docstring: str, made_of: Sequence[ast.ClassDef]) -> Iterator[str]:
    merged = {one.name for one in made_of}
    bases = ", ".join(base for base in map(ast.unparse, node.bases) if base not in merged)
    if bases:
        yield from (f"Bases: `{bases}`", "")
    yield from _markdown(docstring)
    fields = [field for one in made_of for field in _fields(one)]
    yield from (*fields, "") if fields else ()
    for method in (method for one in made_of for method in _public_functions(one)):
        yield from (f"#### {node.name}.{method.name}", "", *_signature(method))
        yield from _markdown(ast.get_docstring(method) or "")


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        (name, *_) = [*_names_of(field), "_"]
        if isinstance(field, ast.AnnAssign) and not name.startswith("_") and name != "model_config":
            text = " ".join(_string(after).split())
            yield f"- `{' '.join(ast.unparse(field).split())}`{': ' if text else ''}{text}"


def _public_functions(node: ast.AST) -> list[Function]:
    assert isinstance(node, ast.ClassDef)
    return [one for one in node.body if isinstance(one, Function) and not one.name.startswith("_")]


def _signature(node: Function) -> list[str]:
    decorators = [ast.unparse(one) for one in node.decorator_list if ast.unparse(one) != "abstractmethod"]
    arguments = _arguments(node.args)
    for decorator in decorators:
        if found := re.fullmatch(r"with_parameters_of\((\w+)\)", decorator):
            arguments = ["self", f"the fields of {found[1]}"]
    start = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}def {node.name}("
    end = f"){f' -> {ast.unparse(node.returns)}' if node.returns else ''}"
    line = f"{start}{', '.join(arguments)}{end}"
    lines = [line] if len(line) <= _WIDTH else [start, *(f"    {one}," for one in arguments), end]
    shown = [f"@{one}" for one in decorators if not one.startswith("with_parameters_of")]
    return ["```python", *shown, *lines, "```", ""]


def _arguments(given: ast.arguments) -> list[str]:
    """Return each argument as it is written, with its type and default."""
    plain = [*given.posonlyargs, *given.args]
    defaults = [*(None for _ in plain[len(given.defaults) :]), *given.defaults]
    texts = [_argument(one, default) for one, default in zip(plain, defaults, strict=True)]
    if given.posonlyargs:
        texts.insert(len(given.posonlyargs), "/")
    if given.vararg or given.kwonlyargs:
        texts.append(f"*{_argument(given.vararg) if given.vararg else ''}")
    texts += [_argument(one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [*texts, f"**{_argument(given.kwarg)}"] if given.kwarg else texts


def _argument(argument: ast.arg, default: ast.expr | None = None) -> str:
    return f"{ast.unparse(argument)}{f' = {ast.unparse(default)}' if default else ''}"


def _markdown(docstring: str) -> Iterator[str]:
    """Yield a Google-style docstring as Markdown: literal blocks are fenced, entries of sections are a list."""
    for block in re.split(r"\n\n(?=\S)", docstring):
        text = block.rstrip()
        if text.endswith("::") or "::\n" in text:
            before, _, literal = text.partition("::")
            yield from ([before.rstrip(), ""] if before.strip() else [])
            yield from ("```", cleandoc(literal), "```", "")
        elif found := _SECTION.match(text):
            yield from (f"{found[1]}:", "", *_entries(cleandoc(text[found.end() :])), "")
        else:
            yield from (text, "")


def _entries(text: str) -> Iterator[str]:
    for entry in re.split(r"\n(?=\S)", text):
        joined = " ".join(entry.split())
        found = _ENTRY.fullmatch(joined)
        yield f"- `{found['name']}`: {found['text']}" if found else f"- {joined}"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _anchor(title: str) -> str:
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


if __name__ == "__main__":
    PAGE.write_text(page())

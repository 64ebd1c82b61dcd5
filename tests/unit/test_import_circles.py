"""Imports between modules make no circle, at run time or for types alone."""

from __future__ import annotations

import graphlib

import grimp
import pytest


def test_no_module_imports_itself_by_way_of_others():
    graph = grimp.build_graph("mcp_cxr", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # A package and its own modules: `__init__` re-exports them, and they import each other, not the package.
    for package, imported in imports.items():
        imported -= {one for one in imported if one.startswith(f"{package}.")}
    try:
        tuple(graphlib.TopologicalSorter(imports).static_order())
    except graphlib.CycleError as exc:
        pytest.fail(" -> ".join(exc.args[1]))

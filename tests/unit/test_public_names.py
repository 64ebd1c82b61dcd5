"""Each package says what it offers, sorted, and offers it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import mcp_cxr

PACKAGES = ["mcp_cxr", *(f"mcp_cxr.{found.name}" for found in pkgutil.iter_modules(mcp_cxr.__path__) if found.ispkg)]

EXAMPLE = "mcp_cxr.stores.memory"  # the store that contributors copy, named in the documentation


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_true(name: str) -> None:
    package = importlib.import_module(name)
    offered = package.__all__
    assert offered == sorted(offered, key=lambda one: (not one.isupper(), not one[0].isupper(), one))
    assert all(hasattr(package, one) for one in offered)


@pytest.mark.parametrize("name", PACKAGES[1:])
def test_modules_of_a_package_are_private(name: str) -> None:
    package = importlib.import_module(name)
    modules = [found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg]
    assert not [one for one in modules if not one.startswith("_") and f"{name}.{one}" != EXAMPLE]

# SPDX-License-Identifier: Apache-2.0
"""Examples in docstrings run; stubs say what is there."""
import ast
import doctest
import importlib
import inspect
import pathlib

import pytest

import ffdp

MODULES = ["ffdp", "ffdp._images", "ffdp._transforms", "ffdp._registration", "ffdp._evaluation", "ffdp._phantom"]


@pytest.mark.parametrize("name", [*MODULES, "ffdp.torch"])
def test_examples_run(name):
    if name == "ffdp.torch":
        pytest.importorskip("torch")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0


def parameters(arguments):
    """Names and defaults of an ast.arguments, in order."""
    plain = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    both = list(zip(plain, defaults)) + list(zip(arguments.kwonlyargs, arguments.kw_defaults))
    return {a.arg: (inspect.Parameter.empty if d is None else ast.literal_eval(d)) for a, d in both}


def check(module, node, owner):
    found = getattr(owner, node.name)
    if isinstance(node, ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.FunctionDef):
                check(module, child, found)
        return
    if isinstance(found, property):
        return
    signature = inspect.signature(inspect.unwrap(found))
    real = {n: p.default for n, p in signature.parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    stub = parameters(node.args)
    stub.pop("cls", None)
    assert stub == real, node.name


@pytest.mark.parametrize("name", ["ffdp", "ffdp.torch"])
def test_stubs_are_true(name):
    if name == "ffdp.torch":
        pytest.importorskip("torch")
    module = importlib.import_module(name)
    file = pathlib.Path(ffdp.__file__).parent.joinpath(*name.split(".")[1:], "__init__.pyi")
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            if node.name not in ("PhantomPair", "cuda_devices"):
                check(module, node, module)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    assert names == set(module.__all__)

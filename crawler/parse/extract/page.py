"""A page as an extractor in Python sees it, and where such an extractor comes from.

An extractor is a function of an `ExtractPage` that returns a dictionary:

    def product(page):
        return {"price": page.tree.css_first(".price").text()}

`--extract shop:product` takes it from `shop.py` in the current directory, or from wherever Python finds a module.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import lxml.html
from bs4 import BeautifulSoup
from lxml import etree

from crawler import urls
from crawler.errors import UrlError, UsageError
from crawler.parse import soup
from crawler.parse.extract.selectors import Tree


class ExtractPage:
    """A page, with a tree for every taste, each made when it is first asked for.

    Args:
        url: Canonical URL of the page.
        body: The page as UTF-8.
    """

    def __init__(self, url: str, body: bytes) -> None:
        self.url = url
        self._body = body

    def __repr__(self) -> str:
        return f"<ExtractPage {self.url}>"

    @cached_property
    def html(self) -> str:
        """The page's source."""
        return self._body.decode("utf-8", "replace")

    @cached_property
    def tree(self) -> Tree:
        """The page for selectolax: CSS selectors, and faster than the others."""
        return Tree(self._body)

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The page for BeautifulSoup."""
        return soup.tree_of(self._body)

    @cached_property
    def root(self) -> etree._Element:
        """The page for lxml: XPath."""
        parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
        try:
            return lxml.html.document_fromstring(self._body.replace(b"\0", b""), parser=parser)
        except etree.ParserError:  # a page without any element
            return lxml.html.document_fromstring("<html></html>")

    @cached_property
    def base(self) -> str:
        """What the page's links start from: its base element's URL, or its own."""
        for node in self.tree.tags("base"):
            if target := _joined(node.attributes.get("href") or "", self.url):
                return target
        return self.url

    def join(self, href: str) -> str | None:
        """The absolute, canonical form of a link on the page; None if it is no http(s) URL."""
        return _joined(href, self.base)


def _joined(href: str, base: str) -> str | None:
    try:
        return urls.canonicalize(href, base)
    except UrlError:
        return None


PythonExtractor = Callable[[ExtractPage], object]


def load(name: str) -> PythonExtractor:
    """Import an extractor.

    Args:
        name: `module:function`; modules in the current directory are found as well.

    Raises:
        UsageError: If there is no such module or function, or the module cannot be imported.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise UsageError(f"--extract {name}: give the function as module:function")
    folder = str(Path.cwd())
    if not {folder, ""} & set(sys.path):
        sys.path.append(folder)  # last, so that nothing in it takes the place of a library
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(f"--extract {name}: {module_name} cannot be imported: {error}") from None
        raise UsageError(
            f"--extract {name}: there is no module {error.name!r}, neither in {folder} nor among what is installed"
        ) from None
    except (Exception, SystemExit) as error:
        fault = f"{type(error).__name__}: {error}"
        raise UsageError(f"--extract {name}: {module_name} cannot be imported: {fault}") from None
    function = getattr(module, function_name, None)
    where = getattr(module, "__file__", None) or module_name
    if not callable(function):
        raise UsageError(f"--extract {name}: there is no function {function_name!r} in {where}")
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"--extract {name}: {function_name} in {where} is async; an extractor is a plain function")
    extractor: PythonExtractor = function
    return extractor

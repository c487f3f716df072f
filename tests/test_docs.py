"""The documentation names files, commands, options and modules that exist."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml

from lwam_mm.version import __version__

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {"results.md", "benchmark.md", "distillation_speed.md", "quantization.md"}
GUIDES = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in GENERATED]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + GUIDES
OTHER_PROGRAMS = {"--no-deps", "--nproc_per_node", "--master_port", "--kill-on-bad-exit"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(page.read_text()) if kind == language]


def inline_code(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", page.read_text()))


def commands(page: Path) -> list[str]:
    """Lines of commands, continued ones joined, and commands within the text."""
    text = "\n".join(blocks(page, "")).replace("\\\n", " ")
    return [*text.splitlines(), *inline_code(page)]


def spell_out(pattern: str) -> list[str]:
    """Expand {a,b} as a shell does."""
    parts = [part.strip("{}").split(",") for part in re.split(r"(\{[^}]*\})", pattern)]
    return ["".join(choice) for choice in product(*parts)]


def anchor(heading: str) -> str:
    """GitHub's name for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")


@cache
def flags_of(tool: Path) -> set[str]:
    source = tool.read_text()
    if "engine.launch" in source or "lwam_mm.engine import launch" in source:
        source += (ROOT / "lwam_mm" / "engine" / "launch.py").read_text()
    return {"--help", *re.findall(r'"(--[a-z0-9-]+)"', source)}


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@each_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, fragment = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert fragment in map(anchor, headings), target


@each_page
def test_paths_exist(page):
    folders = ("configs/", "docs/", "lwam_mm/", "requirements/", "tests/", "tools/")
    words = [word for line in commands(page) for word in line.split()]
    words += re.findall(r'"(configs/[^"]+)"', "".join(blocks(page, "python")))
    for word in words:
        path = word.rstrip(".,;:)")
        # Capitals stand for what the user fills in.
        if path.startswith(folders) and not re.search(r"[A-Z]{3}", path):
            for spelled in spell_out(path):
                assert any(ROOT.glob(spelled.rstrip("/"))), path


@each_page
def test_commands_have_the_options_that_are_used(page):
    for line in commands(page):
        tool = re.search(r"tools/(\w+)\.py", line)
        if tool and not line.lstrip().startswith("#"):
            path = ROOT / tool[0]
            assert path.is_file(), line
            unknown = set(_FLAG.findall(line[tool.end() :])) - flags_of(path)
            assert not unknown, line


@each_page
def test_options_in_the_text_exist(page):
    known = set().union(*map(flags_of, (ROOT / "tools").glob("*.py"))) | OTHER_PROGRAMS
    for code in inline_code(page):
        if code.startswith("--"):
            assert set(_FLAG.findall(code)) <= known, code


@each_page
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in commands(page):
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets, line


@each_page
def test_modules_exist(page):
    if page.name == "CHANGELOG.md":
        pytest.skip("names modules that are gone as well; see the test of its table")
    for code in inline_code(page):
        for name in re.findall(r"\blwam_mm(?:\.[A-Za-z_]\w*)+", code):
            parts = name.split(".")
            while not is_module(".".join(parts)):
                parts.pop()
            folder = ROOT.joinpath(*parts)
            source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            rest = name.split(".")[len(parts) :]
            assert not rest or re.search(rf"\b{rest[0]}\b", source.read_text()), name


def test_moved_modules_are_where_the_changelog_says():
    table = (ROOT / "CHANGELOG.md").read_text().partition("### Moved")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|$", table, re.MULTILINE)
    assert rows
    for _, now in rows:
        names = [name for name in re.findall(r"`([^`]+)`", now) if name.islower()]
        package = ""
        for name in names:
            if name.startswith("lwam_mm."):
                package = name.rpartition(".")[0]
            elif not package:
                continue
            full = name if name.startswith("lwam_mm.") else f"{package}.{name}"
            if "*" in full:
                folder, _, pattern = full.rpartition(".")
                files = (ROOT / folder.replace(".", "/")).glob("*.py")
                assert any(fnmatch(file.stem, pattern) for file in files), full
            else:
                assert is_module(full), full


@each_page
def test_python_examples_compile(page):
    for code in blocks(page, "python"):
        ast.parse(code)


def test_the_example_of_a_loss_works():
    code = next(c for c in blocks(ROOT / "docs" / "extending.md", "python") if "nn.Module" in c)
    space: dict = {}
    exec(compile(code, "extending.md", "exec", dont_inherit=True), space)
    labels = torch.tensor([[[0, 1], [2, 255]]])
    logits = 50.0 * torch.eye(3)[:, [0, 1, 2, 0]].reshape(1, 3, 2, 2)
    loss = space["SquaredErrorLoss"](loss_weight=2.0)
    assert loss(logits, labels) == pytest.approx(0, abs=1e-6)
    assert loss(-logits, labels) > 1
    logits[..., 1, 1] = -1e3
    assert loss(logits, labels) == pytest.approx(0, abs=1e-6)


def test_readme_is_short_and_leads_to_every_guide():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 140
    for guide in GUIDES:
        assert f"(docs/{guide.name})" in text, guide.name


def test_citation_fits_version_and_readme():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == __version__
    text = (ROOT / "README.md").read_text()
    assert f"version = {{{__version__}}}" in text
    paper = citation["preferred-citation"]
    assert paper["doi"] in text
    assert paper["title"] in " ".join(text.split())

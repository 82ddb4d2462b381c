#!/usr/bin/env python3
"""Chat templates that ship in public packages, rendered by oclm and by transformers over many conversations.

usage: packaged_chat.py RENDER_CHAT FOLDER...     folders, wheels or sdists to search
Every *.jinja file, and every string in a Python file that looks like a chat template, is one. Nothing of the packages is run.
"""
import ast
import json
import pathlib
import sys
import tarfile
import zipfile

import chat_reference as ref
from chat_talks import TALKS

MARKS = ("{%", "message")


def files_of(path):
    """(name, text) of the Python and Jinja files of a folder or an archive."""
    wanted = (".jinja", ".jinja2", ".py")
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in wanted and file.is_file():
                yield str(file), file.read_bytes()
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(wanted):
                    yield f"{path.name}:{name}", archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(wanted):
                    yield f"{path.name}:{member.name}", archive.extractfile(member).read()


def strings_of(text):
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def templates_of(path):
    for name, data in files_of(path):
        text = data.decode("utf-8", "replace")
        if name.endswith(".py"):
            if MARKS[0] in text:
                yield from ((f"{name}#{i}", s) for i, s in enumerate(strings_of(text)) if all(m in s for m in MARKS) and len(s) > 80)
        elif all(m in text for m in MARKS):
            yield name, text


def main(program, paths):
    seen, bad, total, rendered = set(), 0, 0, 0
    for path in map(pathlib.Path, paths):
        cases = []
        for name, text in templates_of(path):
            if text in seen or "{% extends" in text:
                continue
            seen.add(text)
            cases += [ref.case(f"{name}: {talk}", text, **arguments) for talk, arguments in TALKS.items()]
        for start in range(0, len(cases), 500):
            part = cases[start:start + 500]
            for made, answer in ref.differences(part, ref.render(program, part)):
                bad += 1
                if bad <= 20:
                    print(f"--- {made['name']}\n    oclm  {json.dumps(answer)[:600]}\n    jinja {str(made.get('expected', made.get('error')))[:600]!r}")
        total += len(cases)
        rendered += sum("expected" in c for c in cases)
    print(f"{len(seen)} templates, {total} cases, {rendered} of them rendered, {bad} differ")
    sys.exit(1 if bad or len(seen) < 20 else 0)


main(sys.argv[1], sys.argv[2:])

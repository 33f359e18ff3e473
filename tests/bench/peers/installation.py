"""The peers' own environment, so that their packages never meet the project's."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = ROOT / ".bench-peers"


def peers_python() -> Path:
    """The Python that has the peers' packages; they are installed from the package index if they are not there yet.

    Raises:
        subprocess.CalledProcessError: If they cannot be installed; pip has said why on standard error.
    """
    python = FOLDER / "bin" / "python"
    receipt = FOLDER / "installed.txt"  # what is there, and for which Python
    wanted = f"# {sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if not receipt.exists() or receipt.read_text(encoding="utf-8") != wanted:
        print(f"installing the peers into {FOLDER.name}/", file=sys.stderr, flush=True)
        venv.create(FOLDER, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
        subprocess.run(install, check=True, stdout=sys.stderr)
        receipt.write_text(wanted, encoding="utf-8")
    return python

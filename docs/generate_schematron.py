"""Write mappings/cda/schematron/<paper>.sch from the forms: one set of rules per paper.

python docs/generate_schematron.py            write the files
python docs/generate_schematron.py --check    exit 1 when a file is not what its form says
"""

from __future__ import annotations

import sys
from pathlib import Path

from mappings.cda import schematron
from mappings.documents import form

FOLDER = Path(schematron.__file__).parent


def stale(folder: Path = FOLDER) -> list[str]:
    """Name the papers whose file is missing, or not what the form says now, and the files that have no form."""
    wrong = [paper for paper in form.names() if _read(folder / f"{paper}.sch") != schematron.rules(paper)]
    return wrong + sorted(path.stem for path in folder.glob("*.sch") if path.stem not in form.names())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def write(folder: Path = FOLDER) -> None:
    """Write every file anew; one without a form goes."""
    for path in folder.glob("*.sch"):
        path.unlink()
    for paper in form.names():
        (folder / f"{paper}.sch").write_text(schematron.rules(paper), encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale() else 0)
    write()

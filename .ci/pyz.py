#!/usr/bin/env python3
"""Makes dist/tcpviz.pyz: tcpviz and all that it needs in one file, for a server with only Python.

It runs under any Python from 3.11 on. What is compiled (numpy) is taken along for the Python and
the system on which it was made; elsewhere the program goes without, as it can: files and live
captures are then followed segment by segment only. Compiled parts and child processes cannot
live in an archive, so the first run unpacks it (.ci/pyz_main.py says where and how safely).

Everything comes from the environment that runs this; nothing is fetched. Run by `make pyz`.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
COMPILED = {"numpy"}
LEFT_OUT = ("__pycache__", "tests", "testing", "contrib", "f2py", "distutils", "include")
"""Folders that running needs nothing of; scapy's contrib are 200 other protocols."""

EPOCH = (1980, 1, 1, 0, 0, 0)


def needed() -> list[metadata.Distribution]:
    """The installed distributions that tcpviz needs here, without itself."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(metadata.distribution("tcpviz").requires or [])
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        one = metadata.distribution(wanted.name)
        name = one.metadata["Name"].lower()
        if name not in found:
            found[name] = one
            waiting += one.requires or []
    return [found[name] for name in sorted(found)]


def kept(path: str) -> bool:
    """Whether running, or a licence, needs the file."""
    parts = path.split("/")
    if ".." in parts or path.startswith("/"):
        return False
    if any(".dist-info" in part for part in parts):
        return "licen" in path.lower() or parts[-1] in ("METADATA", "COPYING", "NOTICE")
    return not set(parts) & set(LEFT_OUT) and not path.endswith((".pyi", ".pyc", ".a", ".h"))


def files() -> Iterator[tuple[str, bytes]]:
    """(name in the archive, content) of everything, in a steady order."""
    for one in needed():
        compiled = one.metadata["Name"].lower() in COMPILED
        for entry in sorted(map(str, one.files or [])):
            if kept(entry):
                content = Path(str(one.locate_file(entry))).read_bytes()
                yield f"{'native' if compiled else 'site'}/{entry}", content
    for folder, name in (("tcpviz", "tcpviz"), ("demos", "tcpviz/demos")):
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT / folder).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and "pictures" not in path.parts:
                yield f"site/{name}/{inside}", path.read_bytes()
    yield "site/tcpviz/LICENSE", (ROOT / "LICENSE").read_bytes()


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "tcpviz.pyz"
    out.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    beside = out.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in files():
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
            about = {
                "digest": digest.hexdigest()[:32],
                "python": sys.implementation.cache_tag,
                "platform": sysconfig.get_platform(),
                "libc": platform.libc_ver()[0],
            }
            archive.writestr(zipfile.ZipInfo("about.json", EPOCH), json.dumps(about))
            start = (ROOT / ".ci" / "pyz_main.py").read_text("utf-8")
            archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), start)
    beside.chmod(0o755)
    beside.replace(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, for {about['python']} on {about['platform']}")


if __name__ == "__main__":
    main()

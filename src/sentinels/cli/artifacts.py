"""``sentinels artifacts``: what a job left, listed, printed or downloaded. Next: ``client``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    note,
    on_terminal,
    rows,
    say,
    show_rows,
)
from sentinels.core.errors import InvalidRequest
from sentinels.core.quantity import about_memory

COLUMNS = (
    Column("SIZE", lambda file: about_memory(_size(file)), right=True),
    Column("PATH", lambda file: file["path"]),
)


def artifacts(
    job: Annotated[str, typer.Argument(metavar="JOB", help="An id, a name or its beginning.")],
    path: Annotated[str | None, typer.Argument(help="Print this file.")] = None,
    download: Annotated[
        Path | None, typer.Option("--download", "-d", help="Download all files into this folder.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt. Default: the last.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List or download what a job left in its output folder, or print one file of it."""
    client = Client()
    query = {"attempt": attempt}
    if path is not None:
        sys.stdout.buffer.write(client.get_bytes(_file_path(job, path), query))
        return
    answer = client.get(job_path(job, "artifacts"), query)
    files = rows(answer, "artifacts")
    if download is None:
        show_rows(files, COLUMNS, output, empty="It left no files.")
    else:
        _download(client, job, query, files, download)
    if not answer.get("complete"):
        note("not everything has arrived yet; look again later")


def _download(
    client: Client, job: str, query: dict[str, int | None], files: Sequence[Row], folder: Path
) -> None:
    targets = [(str(file["path"]), _target(folder, str(file["path"]))) for file in files]
    for path, target in _with_bar(targets):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(client.get_bytes(_file_path(job, path), query))
    size = about_memory(sum(map(_size, files)))
    say(f"{len(files)} files, {size}, in {folder}")


def _with_bar(targets: list[tuple[str, Path]]) -> Iterable[tuple[str, Path]]:
    if not on_terminal():
        return targets
    from rich.progress import track

    return track(targets, description="downloading", transient=True)


def _target(folder: Path, path: str) -> Path:
    root = folder.resolve()
    target = (root / path).resolve()
    if not target.is_relative_to(root):
        raise InvalidRequest(f"the file {path} would land outside {folder}")
    return target


def _file_path(job: str, path: str) -> str:
    return job_path(job, "artifacts", *path.split("/"))


def _size(file: Row) -> int:
    size = file.get("size_bytes")
    return size if isinstance(size, int) else 0

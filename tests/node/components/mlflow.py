"""MLflow behind the interface of its official image with database drivers (its tag ends in -full).

Comes in: MLflow as it is installed beside the tests, the driver psycopg2, which pip downloads once.
Goes out: an image. Before: ``tests.node.images``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.node.components import layer as layers
from tests.node.images import Image, cached, closure, python_image, write_packages

MLFLOW_IMAGE = "localhost/mlflow:test"
_DRIVERS = Path(__file__).with_name("psycopg2.txt")
_LEFT_OUT = frozenset(
    {"pyarrow", "scipy", "scikit-learn", "skops", "joblib", "threadpoolctl", "narwhals"}
    | {"matplotlib", "fonttools", "contourpy", "kiwisolver", "pillow", "cycler", "pyparsing"}
)
"""What models need and a server does not load: two thirds of all."""
_COMMAND = """#!/usr/local/bin/python
from mlflow.cli import cli

cli()
"""


def mlflow_image(name: str = MLFLOW_IMAGE) -> Image:
    """The server of the installed version; like the official image it has no user of its own."""
    all_needed = closure(("mlflow", "psycopg", "psycopg-binary"))
    needed = [each for each in all_needed if each.name.lower() not in _LEFT_OUT]
    own = Path(__file__).read_text() + Path(layers.__file__).read_text() + sys.version
    versions = " ".join(f"{each.name}={each.version}" for each in needed)
    packages = cached("mlflow", own + versions, lambda at: write_packages(at, needed))
    more = cached("mlflow.more", own + _DRIVERS.read_text(), _write_more)
    return Image(
        name,
        (*python_image(name).layers, packages, more),
        ("python3",),
        user="",
        environment=("PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",),
    )


def _write_more(target: Path) -> None:
    library = f"usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as folder, layers.new_layer(target) as layer:
        layer.text("usr/local/bin/mlflow", _COMMAND, 0o755)
        _download(Path(folder))
        for wheel in Path(folder).glob("*.whl"):
            unpacked = Path(folder, wheel.stem)
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(unpacked)
            layer.tree(unpacked, f"{library}/site-packages")


def _download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    exact = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    wanted = ["--requirement", str(_DRIVERS), "--dest", str(folder)]
    ran = subprocess.run(
        [*pip, *exact, *wanted], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, f"pip could not download psycopg2: {ran.stderr[-2000:]}"

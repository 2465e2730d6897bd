"""A real search node, OpenSearch, behind the interface of Elasticsearch's official image.

Comes in: OpenSearch and a program that runs it in one process (``tests.support.search_node``); this
machine's JDK, of which jlink makes a smaller runtime. Goes out: an image. Before: ``layer``,
``tests.node.images``. What Elasticsearch has and OpenSearch lacks (ILM) cannot be tried with it.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.node.components import layer as layers
from tests.node.images import Image, cached
from tests.support.search_node import LOG_SETTINGS, VERSION, search_jars

SEARCH_IMAGE = "localhost/search:test"
_HOME = "usr/share/elasticsearch"
_ENTRYPOINT = Path(__file__).with_name("search-entrypoint.sh")
_MODULES = (
    *("java.base", "java.compiler", "java.desktop", "java.instrument", "java.logging"),
    *("java.management", "java.naming", "java.net.http", "java.scripting", "java.security.jgss"),
    *("java.sql", "java.xml", "jdk.crypto.ec", "jdk.management", "jdk.net", "jdk.unsupported"),
    *("jdk.zipfs", "jdk.localedata"),
)
_LANGUAGES = "en,th"  # the analysis of text loads Thai
_SCREENS = (
    *("libawt", "libfont", "libjawt", "libsplash", "liblcms", "libmlib", "libjavajpeg"),
    *("libfreetype", "libharfbuzz", "libjsound"),
)
_SECONDS = 600


def search_image(name: str = SEARCH_IMAGE) -> Image:
    """Its port is 9200; its data are in /usr/share/elasticsearch/data; its user is 1000."""
    written = (Path(__file__), _ENTRYPOINT, Path(layers.__file__))
    own = VERSION + "".join(each.read_text() for each in written)
    jdk = layers.need_program("jlink", "openjdk-17-jdk-headless").parents[1]
    release = (jdk / "release").read_text()
    return Image(
        name,
        (
            cached("search.java", own + release, _write_java),
            cached("search", own, _write),
        ),
        folder=f"/{_HOME}",
        user="1000:0",
        entrypoint=("/usr/local/bin/docker-entrypoint.sh",),
        command=("eswrapper",),
        environment=(f"PATH=/{_HOME}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
    )


def _write_java(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, layers.new_layer(target) as layer:
        runtime = Path(folder, "jdk")
        _link_runtime(runtime)
        for found in sorted(runtime.rglob("*")):
            name = f"{_HOME}/jdk/{found.relative_to(runtime)}"
            if not found.is_file() or found.name.startswith(_SCREENS):
                continue
            if found.suffix == ".so" or found.parent.name == "bin":
                layer.program(found, name)
            else:
                layer.file(found, name)


def _link_runtime(target: Path) -> None:
    jlink = layers.need_program("jlink", "openjdk-17-jdk-headless")
    small = ("--strip-java-debug-attributes", "--no-header-files", "--no-man-pages")
    wanted = ("--add-modules", ",".join(_MODULES), "--include-locales", _LANGUAGES)
    _run(str(jlink), *small, *wanted, "--output", str(target))


def _write(target: Path) -> None:
    with layers.new_layer(target) as layer:
        layer.tree(search_jars(), f"{_HOME}/lib")
        layer.shell()
        layer.program(layers.need_program("bash", "bash"), "bin/bash")
        layer.users("elasticsearch", 1000, f"/{_HOME}")
        layer.text("usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT.read_text(), 0o755)
        layer.text(f"{_HOME}/log4j2.properties", LOG_SETTINGS)
        for name in ("config", "data", "logs"):
            layer.open_folder(f"{_HOME}/{name}")
        layer.text(f"{_HOME}/config/elasticsearch.yml", 'cluster.name: "docker-cluster"\n')
        layer.text(f"{_HOME}/config/jvm.options", "")


def _run(*words: str) -> None:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ran.returncode == 0, f"{' '.join(words[:2])}: {ran.stdout[-1000:]}{ran.stderr[-2000:]}"

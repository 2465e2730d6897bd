"""The image: really built, without a network, and run as the strictest cluster would run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.contract.listener import listening
from tests.support.image import BASE, IMAGE, ROOT, Podman, built_image, podman

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]

_MEGABYTE = 10**6
_MOST_ABOVE_THE_BASE = 275 * _MEGABYTE  # 16 of them check signatures: OpenID Connect
_MOST_OF_OUR_OWN = 8 * _MEGABYTE
_STRICT = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host")
_ANY_USER = "12345:23456"
_READY_SECONDS = 60.0
_FUNCTIONS = ("dispatch", "notify", "submit")
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: none}}]
"""
_IMPORT_ALL = """
import importlib, pathlib, sentinels
root = pathlib.Path(sentinels.__file__).parent
for part in ("core", "db", "services", "clusters/kubernetes", "functions", "cli"):
    for path in (root / part).rglob("*.py"):
        if path.stem not in ("main", "env", "__main__") and "versions" not in path.parts:
            importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
            print(path.stem)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Podman]:
    """An engine that has the image and its base."""
    if shutil.which("podman") is None or os.geteuid() != 0:
        why = "the image is built by podman, as root"
        if "CI" in os.environ:
            pytest.fail(f"{why}; tests/container_engine.sh sees to it")
        pytest.skip(why)
    folder = Path("/tmp") / f"sen-image-{os.getpid()}"
    with podman(folder) as found:
        found.load(built_image())
        yield found


@pytest.fixture(scope="module")
def facts(engine: Podman) -> Mapping[str, object]:
    """What the image says of itself."""
    found: Mapping[str, object] = json.loads(engine.ask("image", "inspect", IMAGE))[0]
    return found


@contextmanager
def running(
    engine: Podman, options: Sequence[str], *words: str, user: str = _ANY_USER
) -> Iterator[str]:
    """A container in the background, by its id; its log is told where the block fails."""
    strict = ("run", "--detach", *_STRICT, "--user", user)
    container = engine.ask(*strict, *options, IMAGE, *words)
    try:
        yield container
    except BaseException:
        print(engine.try_("logs", container))
        raise
    finally:
        engine.try_("rm", "--force", "--time=1", container)


def ran(engine: Podman, *words: str) -> tuple[int, str]:
    """Exit code and everything said."""
    done = engine.try_("run", "--rm", *_STRICT, "--user", _ANY_USER, IMAGE, *words)
    return done.returncode, done.stdout + done.stderr


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _READY_SECONDS
    while not true():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("function", _FUNCTIONS)
def test_each_function_answers_and_ends_politely(
    engine: Podman, database_url: str, short_tmp: Path, function: str
) -> None:
    kubeconfig = short_tmp / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG)
    port = free_port()
    (socket_folder,) = parse_qs(urlsplit(database_url).query)["host"]
    settings = {
        "FUNCTION": function,
        "PORT": str(port),
        "SENTINELS_DATABASE_URL": database_url,
        "SENTINELS_CLUSTER": "kubernetes",
        "SENTINELS_KUBECONFIG": str(kubeconfig),
    }
    options = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    for shared in (socket_folder, kubeconfig):
        options += ["--volume", f"{shared}:{shared}"]
    owner = Path(socket_folder).stat()  # PostgreSQL's socket is for its owner alone
    assert owner.st_uid > 0
    with running(engine, options, user=f"{owner.st_uid}:{owner.st_gid}") as container:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        if function == "submit":
            assert answers(f"http://127.0.0.1:{port}/readyz"), "PostgreSQL is there"
        engine.ask("stop", "--time=20", container)
        assert engine.ask("wait", container) == "0"


def test_the_sidecar_is_told_to_end_as_the_first_process_of_its_container(
    engine: Podman, short_tmp: Path
) -> None:
    (short_tmp / "output").mkdir()
    (short_tmp / "output" / "model.txt").write_text("weights")
    report = short_tmp / "report"
    report.touch()
    report.chmod(0o666)
    with listening() as tracker:
        options = [
            *("--volume", f"{short_tmp / 'output'}:/sentinels/output"),
            *("--volume", f"{report}:/dev/termination-log"),
            *("--env", "SENTINELS_OUTPUT=/sentinels/output"),
            *("--env", f"SENTINELS_OUTPUTS_URL={tracker.outputs_url}"),
        ]
        module = "sentinels.clusters.kubernetes.sidecar"
        with running(engine, options, "python", "-P", "-m", module) as container:
            wait_until(lambda: "waiting" in engine.ask("logs", container))
            engine.ask("kill", "--signal=TERM", container)
            assert engine.ask("wait", container) == "0"
        assert json.loads(report.read_text()) == {"sent": 1, "complete": True, "trouble": None}
        assert tracker.files == {"model.txt": b"weights"}


def test_without_a_function_it_says_what_to_give(engine: Podman) -> None:
    assert ran(engine) == (
        1,
        "FUNCTION='' is no function; set FUNCTION to one of dispatch, notify, submit, "
        "or give a command, as: sentinels --version\n",
    )


def test_it_has_the_command(engine: Podman) -> None:
    assert ran(engine, "sentinels", "--version") == (0, "sentinels 0.1.0\n")


def test_what_is_installed_is_all_that_the_functions_import(engine: Podman) -> None:
    code, said = ran(engine, "python", "-P", "-c", _IMPORT_ALL)
    assert code == 0, said
    assert len(said.splitlines()) > 100


def test_it_holds_the_whole_package_compiled_and_nothing_of_what_built_it(engine: Podman) -> None:
    look = (
        "import sysconfig, pathlib, importlib.util as u;"
        "site = pathlib.Path(sysconfig.get_path('purelib'));"
        "own = [p.relative_to(site) for p in (site / 'sentinels').rglob('*')"
        " if p.is_file() and p.suffix != '.pyc'];"
        "print(*sorted(map(str, own)), sep='\\n');"
        "print('uncompiled', sum(not pathlib.Path(u.cache_from_source(str(p))).exists()"
        " for p in site.rglob('*.py')));"
        "print('tools', *(n for n in ('hatchling', 'pip') if u.find_spec(n)))"
    )
    code, said = ran(engine, "python", "-P", "-c", look)
    assert code == 0, said
    *own, uncompiled, tools = said.splitlines()
    package = [
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "sentinels").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    examples = "sentinels/local/examples/"
    assert [name for name in own if not name.startswith(examples)] == sorted(package)
    assert any(name.startswith(examples) for name in own)
    assert (uncompiled, tools) == ("uncompiled 0", "tools")


def test_it_has_no_compiler_no_cache_and_no_sources_of_ours(engine: Podman) -> None:
    names = r"\( -name gcc -o -name cc -o -name ld -o -name '.cache' -o -name '*.whl' \)"
    places = "find / -xdev -path /proc -prune -o"
    code, said = ran(engine, "sh", "-c", f"{places} {names} -print; find /build /dist /wheels")
    missing = [line for line in said.splitlines() if "No such file" not in line]
    assert missing == []
    assert code != 0


def test_it_runs_as_a_numeric_user_and_leaves_the_command_open(facts: Mapping[str, object]) -> None:
    config = facts["Config"]
    assert isinstance(config, dict)
    assert config["User"] == "65532:65532"
    assert not config.get("Entrypoint")
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "Sentinels"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_its_size_is_known(engine: Podman, facts: Mapping[str, object]) -> None:
    """What is above the base; a newer Sentinels alone is a layer of its own."""
    told = json.loads(engine.ask("history", "--no-trunc", "--format=json", IMAGE))
    layers = [(int(layer["size"]), str(layer.get("CreatedBy", ""))) for layer in told]
    ours = sum(size for size, _ in layers[:-1])
    (package,) = (size for size, made_by in layers if "/dist/" in made_by)
    whole = int(str(facts["Size"]))
    print(f"\nMB: image {whole // _MEGABYTE}, above its base {ours // _MEGABYTE}")
    print(f"Sentinels itself {package / _MEGABYTE:.1f}, base here: {BASE}")
    assert package < _MOST_OF_OUR_OWN
    assert ours < _MOST_ABOVE_THE_BASE


def test_the_dockerfile_names_no_registry() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim", base)
    assert not re.search(r"https?://", text)
    assert set(re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)) == {"scratch", "${BASE}"}

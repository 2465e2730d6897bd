"""The web page in a real browser that runs no scripts, over the real one-machine mode."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import OneMachine, await_true
from tests.cluster.conftest import do_without
from tests.services.browser import browsing, chromium, pictures

PROGRAM = """
import pathlib, sys, time
print("epoch 1: loss \\x1b[31m0.5\\x1b[0m <script>document.title='owned'</script>", flush=True)
end = pathlib.Path(sys.argv[1])
began, held = time.monotonic(), []
while not end.exists():
    if time.monotonic() - began < 6:
        held.append(bytearray(2_000_000))
        sum(range(200_000))
    time.sleep(0.05)
if code := int(end.read_text()):
    print("ModuleNotFoundError: No module named 'apex<b>'", file=sys.stderr)
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[OneMachine]:
    """Sentinels on this machine, up without MLflow."""
    folder = Path(tempfile.mkdtemp(prefix="sen-page-"))
    folder.chmod(0o755)
    made = OneMachine(folder / "home")
    try:
        made.up("--no-mlflow")
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a browser that nobody has logged in."""
    program = chromium()
    if program is None:
        do_without("chromium is not installed; tests/services/prepare.sh sees to it")
    with browsing(program, scheme=request.param) as opened:
        yield opened


@pytest.fixture
def push(machine: OneMachine, tmp_path: Path) -> Iterator[Push]:
    """Pushes programs that end when they are told; whatever is left is told so."""
    made = Push(machine, tmp_path)
    try:
        yield made
    finally:
        made.end_all()


class Push:
    """Programs that wait for their exit code in a file."""

    def __init__(self, machine: OneMachine, folder: Path) -> None:
        self._machine, self._folder = machine, folder
        self._ends: list[Path] = []
        folder.joinpath("code").mkdir()
        folder.joinpath("code", "main.py").write_text(PROGRAM)

    def __call__(self, name: str, *words: str) -> tuple[str, Path]:
        """The id of a job, and the file that ends it."""
        end = self._folder / f"{name}-{len(self._ends)}.end"
        self._ends.append(end)
        code = str(self._folder / "code")
        said = self._machine.run(
            "push", code, "--name", name, "-o", "json", *words, "--", "python", "main.py", str(end)
        )
        return str(json.loads(said)["jobs"][0]["id"]), end

    def end_all(self) -> None:
        for end in self._ends:
            if not end.exists():
                end.write_text("0")


def enter(page: Page, machine: OneMachine, *words: str) -> None:
    """As a person does: type ``sentinels web``, follow the link."""
    said = machine.run("web", *words)
    found = re.search(r"http://\S+", said)
    assert found, said
    page.goto(found[0])


def look(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    folder = pictures()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)


def test_a_person_follows_a_job_from_the_queue_to_its_end(
    machine: OneMachine, page: Page, push: Push
) -> None:
    cpus = machine.run("nodes", "-o", "json")
    every = str(json.loads(cpus)[0]["cpu"])
    running, end = push("in-front", "--cpu", every)
    waiting, _ = push("behind", "--cpu", every, "-p", "lr=0.1")
    await_true(lambda: "running" in machine.run("status", running))
    await_true(lambda: "needs" in machine.run("queue"))

    enter(page, machine)
    expect(page).to_have_title(re.compile("1 waiting, 1 running"))
    expect(page.get_by_role("row").filter(has_text="behind").first).to_contain_text(
        f"needs {every} CPUs"
    )
    look(page, "queue")

    page.get_by_role("link", name=running, exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"job {running} in-front")
    output = page.locator(".log")
    expect(output).to_contain_text("epoch 1: loss 0.5 <script>document.title='owned'</script>")
    expect(page.get_by_role("img", name=re.compile("^CPU: "))).to_be_visible(timeout=30_000)
    look(page, "job-running")

    end.write_text("3")
    await_true(lambda: "failed" in machine.run("status", running))
    expect(page.locator(".badge").first).to_contain_text("failed", timeout=30_000)
    expect(page.get_by_text("exit code 3").first).to_be_visible()
    expect(page.get_by_role("heading", name="How it ended")).to_be_visible()
    expect(page.get_by_text("the job's own: its program")).to_be_visible()
    expect(page.get_by_text("Python found no module apex")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("memory: mean .*, peak .* of "))).to_be_visible()
    expect(page).to_have_title(re.compile(r"job \d+ in-front: failed"))
    look(page, "job-failed")

    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_label("failed").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row").filter(has_text="in-front").first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="behind")).to_have_count(0)
    look(page, "jobs")

    page.get_by_role("link", name="Nodes").click()
    expect(page.get_by_role("img").first).to_have_attribute("aria-label", re.compile("held"))
    expect(page.get_by_role("link", name=waiting, exact=True)).to_be_visible(timeout=30_000)
    look(page, "nodes")


def test_a_link_leads_to_its_job_and_the_token_lets_in_as_well(
    machine: OneMachine, page: Page, push: Push
) -> None:
    job, end = push("linked")
    end.write_text("0")
    enter(page, machine, job)
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"job {job} linked")

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Your token")).to_be_visible()
    look(page, "login")
    page.get_by_label("Your token").fill("nonsense")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody has this token")

    page.goto(f"{machine.server['url']}/jobs/{job}")
    page.get_by_label("Your token").fill(str(machine.server["token"]))
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"job {job} linked")

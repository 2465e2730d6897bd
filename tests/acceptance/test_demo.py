"""The demo: it shows what it says, ends by itself, and leaves nothing behind that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.conftest import OneMachine


@pytest.mark.timeout(400)
def test_the_demo_ends_well_on_its_own_server_and_leaves_nothing_running(
    machine: OneMachine, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "sentinels" / "login.json"
    elsewhere.parent.mkdir()
    elsewhere.write_text(json.dumps({"url": "http://127.0.0.1:9", "token": "another"}))
    machine.env = {"XDG_CONFIG_HOME": str(tmp_path), "SENTINELS_SLACK_TOKEN": "xoxb-a-token"}

    said = machine.run("demo", "--home", str(machine.home), seconds=360)

    assert "✔ all 9 jobs ended as they should" in said
    assert re.search(r"·+○*●+ .* queued, .*running", said), "the queue was seen draining"
    assert "9 overtime" in said
    assert "KeyError: 'validation'" in said
    assert "✘ job 8 raises" in said
    assert len(re.findall("kept: no messenger is set up", said)) == 3
    accuracy = re.search(r"^job \d+ \S+ \(.+\): accuracy (0\.\d+)$", said, re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    assert re.search(r"^ *[\d.]+Ki  model.joblib$", said, re.MULTILINE)
    assert re.search(r"MLflow's pages are at http://127\.0\.0\.1:\d+", said)
    assert machine.processes() == []

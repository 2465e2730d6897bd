"""What a person reads while an installation is made ready."""

from __future__ import annotations

import pytest

from sentinels.install.checklist import Checklist


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_is_ready_soon_was_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    told = Checklist()
    told.waiting("Deployment submit", "0 of 1 pods ready")
    told.done("Deployment submit", "ready")
    told.done("Deployment submit", "ready")

    assert lines(capsys) == ["✔ Deployment submit                  ready"]


def test_what_takes_its_time_says_each_reason_once(capsys: pytest.CaptureFixture[str]) -> None:
    told = Checklist(patience_seconds=0)
    for why in ("no node", "no node", "no image", "no node"):
        told.waiting("Deployment submit", why)

    assert [line.split(maxsplit=3)[3] for line in lines(capsys)] == ["no node", "no image"]
    assert told.ok


def test_what_failed_is_said_with_its_remedy_and_remembered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = Checklist()
    told.failed("Knative", "is not there", "install it")

    assert lines(capsys) == [f"✘ {'Knative':<34} is not there", "    → install it"]
    assert not told.ok

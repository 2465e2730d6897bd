"""What docs/notices.md says of notices is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from sentinels.cli.notify import notify
from sentinels.core.address import Service, read_addresses, service_of
from sentinels.core.addressing import USUAL
from sentinels.core.faults import Faults
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.services.webhooks import webhooks_from
from sentinels.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "notices.md").read_text("utf-8")


def test_every_kind_is_documented_and_whether_it_is_usual() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", TEXT, re.MULTILINE)
    kinds = [name for name, _ in rows if name in NOTICE_KINDS]
    assert kinds == list(NOTICE_KINDS)
    assert {name for name, usual in rows if usual == "yes"} == USUAL


def test_every_form_of_an_address_is_one_of_its_service() -> None:
    rows = re.findall(r"^\| .+ \| `(.+)` \| (Slack|the mail|a webhook)", TEXT, re.MULTILINE)
    services = {"Slack": Service.SLACK, "the mail": Service.MAIL, "a webhook": Service.WEBHOOK}
    assert len(rows) == 4
    for address, said in rows:
        faults = Faults()
        [read] = read_addresses(faults, "to", address)
        assert (faults.found, service_of(read)) == ([], services[said])


def test_the_commands_flags_are_the_commands() -> None:
    [block] = re.findall(r"```\n(sentinels notify .*?)```", TEXT, re.DOTALL)
    used = {flag.replace("-", "") for flag in re.findall(r"(?<= )--[a-z]+", block)}
    assert used <= set(notify.__annotations__)
    assert used >= {"to", "on", "off", "reset", "team", "test"}


def test_the_example_of_a_webhook_is_sound() -> None:
    [line] = re.findall(r"^ci https://.* whsec_.*$", TEXT, re.MULTILINE)
    webhooks = webhooks_from(Settings(webhooks=line))
    assert webhooks is not None
    assert webhooks.names == ("ci",)

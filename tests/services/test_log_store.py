"""The log store's adapter against a real OpenSearch: order, bounds, long lines, trouble, days."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.job import JobId
from sentinels.core.log_documents import INDICES, TEMPLATE_NAME, index_of
from sentinels.core.log_lines import SECOND_NS
from sentinels.core.log_store import LogLine
from sentinels.core.workload import WorkloadRef
from sentinels.services.log_store import SearchLogStore
from tests.services.bringing import bring, prepare
from tests.support.search_node import SearchNode

REF, OTHER = WorkloadRef(JobId(7), 1), WorkloadRef(JobId(7), 2)
T = 1_795_871_045_000_000_007
"""At this nanosecond: a double cannot tell it from the next one."""


@pytest.fixture
def store(search_node: SearchNode) -> Iterator[SearchLogStore]:
    prepare(search_node)
    made = SearchLogStore(search_node.url, seconds=20)
    yield made
    made.close()


def numbered(first: int, last: int, apart_ns: int = 1) -> list[LogLine]:
    return [LogLine(T + number * apart_ns, f"line {number}") for number in range(first, last)]


def test_lines_come_in_the_order_of_their_nanoseconds_whoever_brought_them_first(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    bring(search_node, REF, reversed(numbered(0, 50)))
    bring(search_node, OTHER, numbered(0, 3))
    assert store.lines(REF, after_ns=None, before_ns=None, limit=100) == numbered(0, 50)
    assert store.lines(REF, after_ns=T + 6, before_ns=T + 12, limit=100) == numbered(7, 12)
    assert store.lines(REF, after_ns=T + 6, before_ns=None, limit=2) == numbered(7, 9)
    assert store.lines(OTHER, after_ns=None, before_ns=None, limit=100) == numbered(0, 3)


def test_lines_of_several_days_are_one_log(store: SearchLogStore, search_node: SearchNode) -> None:
    lines = numbered(0, 5, apart_ns=86_400 * SECOND_NS)
    assert len({index_of(line.at_ns) for line in lines}) == 5
    bring(search_node, REF, lines)
    assert store.lines(REF, after_ns=None, before_ns=None, limit=100) == lines
    assert store.last_lines(REF, 2) == lines[-2:]


def test_a_store_without_a_line_has_none(store: SearchLogStore) -> None:
    assert store.lines(REF, after_ns=None, before_ns=None, limit=10) == []
    assert store.last_lines(REF, 10) == []
    assert store.last_output([REF]) == {}


def test_the_last_lines_are_found_also_beyond_a_page(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    bring(search_node, REF, numbered(0, 2500))
    assert store.last_lines(REF, 3) == numbered(2497, 2500)
    assert store.last_lines(REF, 3, before_ns=T + 100) == numbered(97, 100)
    assert store.last_lines(REF, 2300) == numbered(200, 2500)
    assert store.last_lines(REF, 9000) == numbered(0, 2500)
    assert store.last_lines(REF, 0) == []


def test_a_line_that_was_kept_in_parts_is_one_of_the_last_lines(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    parts = [LogLine(T + 1, "a", ends=False), LogLine(T + 2, "b", ends=False), LogLine(T + 3, "c")]
    bring(search_node, REF, [LogLine(T, "before"), *parts, LogLine(T + 4, "50%", ends=False)])
    assert store.last_lines(REF, 9) == [
        LogLine(T, "before"),
        LogLine(T + 1, "abc"),
        LogLine(T + 4, "50%", ends=False),
    ]
    assert store.lines(REF, after_ns=T, before_ns=T + 4, limit=9) == parts


def test_what_is_no_harmless_text_comes_back_as_it_was_brought(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    texts = ["", " ", "\x1b[31mred\x00\r", '<!channel> & "{}"', "α 🙂", "\ufffd", "{job}: [x]*"]
    lines = [LogLine(T + number, text) for number, text in enumerate(texts)]
    bring(search_node, REF, lines)
    assert store.lines(REF, after_ns=None, before_ns=None, limit=100) == lines


def test_megabytes_without_a_newline_are_handed_out_a_few_at_a_time(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    lines = [LogLine(T + number, f"{number}" * 2**21) for number in range(10)]
    for line in lines:
        bring(search_node, REF, [line])
    found, after = [], None
    while page := store.lines(REF, after_ns=after, before_ns=None, limit=1000):
        assert sum(len(line.text) for line in page) <= 16 * 2**20
        found += page
        after = page[-1].at_ns
    assert found == lines
    assert store.last_lines(REF, 2) == lines[-2:]


def test_when_attempts_printed_last_is_one_question(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    bring(search_node, REF, numbered(0, 5, SECOND_NS))
    bring(search_node, OTHER, numbered(0, 9, SECOND_NS))
    silent = WorkloadRef(JobId(8), 1)
    found = store.last_output([REF, OTHER, silent])
    begun = datetime.fromtimestamp(T // SECOND_NS, UTC)
    assert {ref: round((at - begun).total_seconds()) for ref, at in found.items()} == {
        REF: 4,
        OTHER: 8,
    }
    assert store.last_output([]) == {}


def test_days_that_are_over_their_time_are_deleted_and_nothing_else(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    today = datetime.fromtimestamp(T // SECOND_NS, UTC)
    day = 86_400 * SECOND_NS
    lines = [LogLine(T - ago * day, f"{ago} days ago") for ago in (0, 29, 30, 31, 400)]
    bring(search_node, REF, lines)
    theirs = f"{search_node.url}/sentinels-logs-archive"
    httpx.put(theirs).raise_for_status()
    assert store.expire(days=30, today=today) == 2
    search_node.refresh()
    left = store.lines(REF, after_ns=None, before_ns=None, limit=9)
    assert [line.text for line in left] == ["30 days ago", "29 days ago", "0 days ago"]
    assert httpx.head(theirs).status_code == 200
    assert store.expire(days=30, today=today) == 0


def test_the_store_is_told_what_a_line_is_as_often_as_one_likes(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    httpx.delete(f"{search_node.url}/_index_template/{TEMPLATE_NAME}").raise_for_status()
    for _ in range(2):
        store.prepare()
    bring(search_node, REF, numbered(0, 1))
    mapping = httpx.get(f"{search_node.url}/{INDICES}/_mapping").json()
    (index,) = mapping.values()
    fields = index["mappings"]["properties"]
    assert {name: fields[name]["type"] for name in ("at_ns", "@timestamp", "job", "workload")} == {
        "at_ns": "long",
        "@timestamp": "date_nanos",
        "job": "long",
        "workload": "keyword",
    }


def test_an_index_that_was_made_before_the_store_knew_is_made_anew(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    httpx.delete(f"{search_node.url}/_index_template/{TEMPLATE_NAME}").raise_for_status()
    bring(search_node, REF, numbered(0, 5))
    with pytest.raises(LogStoreUnavailable):
        store.lines(REF, after_ns=None, before_ns=None, limit=9)
    store.prepare()
    bring(search_node, REF, numbered(5, 8))
    assert store.lines(REF, after_ns=None, before_ns=None, limit=9) == numbered(0, 8)
    store.prepare()
    today = datetime.fromtimestamp(T // SECOND_NS, UTC)
    assert store.expire(days=30, today=today + timedelta(days=40)) == 2


def test_what_a_person_searches_for_is_found(
    store: SearchLogStore, search_node: SearchNode
) -> None:
    bring(search_node, REF, [LogLine(T, "CUDA out of memory"), LogLine(T + 1, "loss 0.25")])
    query = "job:7 AND user:ada AND experiment:digits AND message:memory"
    answer = httpx.get(f"{search_node.url}/{INDICES}/_search", params={"q": query}).json()
    (hit,) = answer["hits"]["hits"]
    assert hit["_source"]["message"] == "CUDA out of memory"
    assert hit["_source"]["@timestamp"] == "2026-11-28T13:04:05.000000007Z"


def test_a_store_that_is_away_costs_little_and_once(search_node: SearchNode) -> None:
    now = 0.0
    store = SearchLogStore("http://user:secret@127.0.0.1:9", stopwatch=lambda: now)
    for _ in range(3):
        with pytest.raises(LogStoreUnavailable) as raised:
            store.last_lines(REF, 3)
        assert str(raised.value) == (
            "the search store at http://127.0.0.1:9 does not answer: Connection refused"
        )
    store.close()


def test_a_silent_store_is_given_up_after_a_second_and_asked_again_after_some(
    search_node: SearchNode,
) -> None:
    prepare(search_node)
    store = SearchLogStore(search_node.url, rest_seconds=2)
    store.check()
    with search_node.silent():
        began = time.monotonic()
        with pytest.raises(LogStoreUnavailable, match="it is silent"):
            store.lines(REF, after_ns=None, before_ns=None, limit=9)
        first = time.monotonic() - began
        with pytest.raises(LogStoreUnavailable, match="it is silent"):
            store.check()
        assert first < 1.9
        assert time.monotonic() - began - first < 0.2
    end = time.monotonic() + 20
    while True:
        try:
            assert store.lines(REF, after_ns=None, before_ns=None, limit=9) == []
            break
        except LogStoreUnavailable:
            assert time.monotonic() < end, "it answers, and is not asked"
            time.sleep(0.1)
    store.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [("/no-such-place", "it answered 4"), ("/_cat", "not as a search store")],
)
def test_what_is_no_search_store_is_told_as_such(
    search_node: SearchNode, path: str, said: str
) -> None:
    store = SearchLogStore(search_node.url + path, seconds=20)
    with pytest.raises(LogStoreUnavailable, match=said):
        store.check()
    store.close()

"""What is free where, and what could never fit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import (
    KINDS,
    MEMORY,
    FreeNode,
    Node,
    Resources,
    Snapshot,
    add,
    coverage,
    fits,
    free_nodes,
    largest_fit_faults,
    subtract,
    total,
)

GI = 1 << 30


def cpus(count: float, memory: float = 0, gpus: int = 0, gpu_type: str | None = None) -> Resources:
    return Resources(int(count * 1000), int(memory * GI), gpus, gpu_type)


def free(*nodes: Node, **in_flight: Resources) -> dict[str, Resources]:
    found = free_nodes(Snapshot(nodes), in_flight=in_flight)
    return {node.name: node.free for node in found}


def test_what_others_and_our_workloads_hold_is_not_free() -> None:
    node = Node("a", cpus(8, 16), foreign=cpus(1, 2), workloads={"w1": cpus(2, 4), "w2": cpus(1)})
    assert free_nodes(Snapshot([node]), in_flight={}) == [
        FreeNode("a", free=cpus(4, 10), room=cpus(7, 14), allocatable=cpus(8, 16))
    ]


def test_a_node_that_is_not_ready_gets_nothing_new() -> None:
    assert free(Node("a", cpus(8), ready=False), Node("b", cpus(2))) == {"b": cpus(2)}


def test_a_live_attempt_that_a_node_reports_is_counted_once() -> None:
    node = Node("a", cpus(8), workloads={"w1": cpus(2)})
    assert free(node, w1=cpus(2)) == {"a": cpus(6)}


def test_a_live_attempt_on_a_node_that_is_not_ready_takes_nothing_elsewhere() -> None:
    gone = Node("gone", cpus(8), workloads={"w1": cpus(2)}, ready=False)
    assert free(gone, Node("a", cpus(8)), w1=cpus(2)) == {"a": cpus(8)}


def test_a_live_attempt_that_nobody_reports_yet_keeps_its_room() -> None:
    assert free(Node("a", cpus(2)), Node("b", cpus(4)), w1=cpus(3), w2=cpus(2)) == {
        "a": cpus(0),
        "b": cpus(1),
    }


def test_the_largest_unseen_attempt_is_placed_first() -> None:
    found = free(Node("a", cpus(4)), Node("b", cpus(4)), small=cpus(2), large=cpus(4))
    assert found == {"a": cpus(0), "b": cpus(2)}


def test_an_unseen_attempt_that_fits_no_single_node_is_taken_off_the_freest_ones() -> None:
    nodes = [Node(name, cpus(4), foreign=cpus(held)) for name, held in (("a", 2), ("b", 1))]
    assert free(*nodes, w1=cpus(4)) == {"a": cpus(1), "b": cpus(0)}


def test_an_unseen_attempt_too_large_for_every_ready_node_reserves_nothing() -> None:
    assert free(Node("a", cpus(4)), w1=cpus(5)) == {"a": cpus(4)}


def test_an_unseen_attempt_keeps_gpus_of_its_own_type_only() -> None:
    nodes = [Node("v", cpus(8, 0, 2, "v100")), Node("a", cpus(8, 0, 2, "a100"))]
    assert free(*nodes, w1=cpus(1, 0, 2, "a100")) == {
        "v": cpus(8, 0, 2, "v100"),
        "a": cpus(7, 0, 0, "a100"),
    }


def test_an_overcommitted_node_has_nothing_free_and_never_less() -> None:
    node = Node("a", cpus(2, 4), foreign=cpus(1), workloads={"w": cpus(2, 1)})
    assert free(node) == {"a": cpus(0, 3)}


AMOUNTS = st.builds(
    Resources,
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 2),
    st.sampled_from([None, "a100", "v100"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=4), st.lists(AMOUNTS, max_size=5))
def test_reservations_take_off_all_they_may_use_and_never_more_than_there_is(
    offers: list[tuple[Resources, Resources]], requests: list[Resources]
) -> None:
    nodes = [Node(f"n{i}", offer, foreign) for i, (offer, foreign) in enumerate(offers)]
    before = free_nodes(Snapshot(nodes), in_flight={})
    in_flight = {f"w{i}": request for i, request in enumerate(requests)}
    after = free_nodes(Snapshot(nodes), in_flight=in_flight)
    for was, now in zip(before, after, strict=True):
        assert all(0 <= kind.amount(now.free) <= kind.amount(was.free) for kind in KINDS)
    untyped = [
        request
        for request in requests
        if request.gpu_type is None and any(fits(request, n.allocatable) for n in before)
    ]
    for kind in KINDS:
        taken = kind.amount(total(n.free for n in before)) - kind.amount(
            total(n.free for n in after)
        )
        available = kind.amount(total(n.free for n in before))
        assert taken >= min(available, kind.amount(total(untyped)))


@pytest.mark.parametrize(
    ("request_", "offer", "fit"),
    [
        (cpus(2, 4), cpus(2, 4), True),
        (cpus(2.001), cpus(2), False),
        (cpus(1, 4.5), cpus(2, 4), False),
        (cpus(1, 0, 1), cpus(2, 0, 0), False),
        (cpus(1, 0, 1), cpus(2, 0, 1, "a100"), True),
        (cpus(1, 0, 1, "a100"), cpus(2, 0, 1, "a100"), True),
        (cpus(1, 0, 1, "a100"), cpus(2, 0, 1, "v100"), False),
        (cpus(1, 0, 1, "a100"), cpus(2, 0, 1), False),
    ],
)
def test_a_request_fits_where_every_kind_and_the_gpu_type_do(
    request_: Resources, offer: Resources, fit: bool
) -> None:
    assert fits(request_, offer) is fit


def test_amounts_add_up_and_never_fall_below_zero() -> None:
    assert add(cpus(1, 2, 1, "a100"), cpus(2, 1, 1, "a100")) == cpus(3, 3, 2, "a100")
    assert add(cpus(1, 0, 1, "a100"), cpus(1, 0, 1, "v100")) == cpus(2, 0, 2)
    assert subtract(cpus(2, 4, 1, "a100"), cpus(3, 1)) == cpus(0, 3, 1, "a100")


def test_coverage_is_that_of_the_scarcest_kind() -> None:
    assert coverage(cpus(2, 8, 1), cpus(4, 2, 1)) == 0.25
    assert coverage(cpus(2), cpus(1, 99)) == 0.5
    assert coverage(Resources(), cpus(0)) == float("inf")


LAPTOP = Node("laptop", cpus(2, 24))
SERVER = Node("server", cpus(64, 16, 8, "a100"))


def test_a_request_that_some_node_can_hold_has_no_fault() -> None:
    assert largest_fit_faults(cpus(2, 24), [LAPTOP, SERVER]) == []


def test_a_busy_or_cordoned_node_still_counts_for_what_it_could_hold() -> None:
    busy = Node("busy", cpus(4), workloads={"w": cpus(4)}, ready=False)
    assert largest_fit_faults(cpus(4), [busy]) == []


def test_nothing_is_said_while_no_node_is_known() -> None:
    assert largest_fit_faults(cpus(10_000), []) == []


def test_every_kind_that_is_too_large_is_named_with_the_value_and_the_bound() -> None:
    faults = largest_fit_faults(cpus(64, 100, 1), [LAPTOP])
    assert [str(fault) for fault in faults] == [
        "resources.cpu: 64 CPUs; the largest node (laptop) has 2 (ask for at most 2)",
        "resources.memory: 100Gi of memory; the largest node (laptop) has 24Gi"
        " (ask for at most 24Gi)",
        "resources.gpu: 1 GPU; the largest node (laptop) has 0 (ask for at most 0)",
    ]
    assert [fault.value for fault in faults] == ["64", "100Gi", "1"]


def test_an_unknown_gpu_type_is_named_with_those_there_are() -> None:
    (fault,) = largest_fit_faults(cpus(1, 1, 1, "h100"), [LAPTOP, SERVER])
    assert fault.field == "resources.gpu_type"
    assert fault.value == "h100"
    assert fault.message == "no node has GPUs of this type; there are: a100"
    (fault,) = largest_fit_faults(cpus(1, 1, 1, "h100"), [LAPTOP])
    assert fault.message == "no node has GPUs of this type; none is known"


def test_too_many_gpus_are_measured_at_the_nodes_of_that_type() -> None:
    small = Node("small", cpus(64, 16, 1, "v100"))
    (fault,) = largest_fit_faults(cpus(1, 1, 4, "v100"), [SERVER, small])
    assert fault.message == "4 v100 GPUs; the largest node (small) has 1"


def test_kinds_that_no_single_node_has_together_are_one_fault() -> None:
    (fault,) = largest_fit_faults(cpus(4, 24), [LAPTOP, SERVER])
    assert str(fault) == (
        "resources: no single node has 4 CPUs and 24Gi of memory;"
        " the closest (server) has 64 CPUs and 16Gi of memory (ask for less of one of them)"
    )


def test_words_never_make_an_unmet_request_look_met() -> None:
    request = Resources(memory_bytes=4 * GI)
    almost = Resources(memory_bytes=4 * GI - 1)
    assert MEMORY.asked(request) == MEMORY.there(request) == "4Gi"
    assert MEMORY.there(almost) == "3.9Gi"
    assert MEMORY.asked(Resources(memory_bytes=4 * GI + 1)) == "4.1Gi"
    assert [MEMORY.there(Resources(memory_bytes=n)) for n in (0, 1000, 1536)] == [
        "0",
        "1000",
        "1.5Ki",
    ]

"""The Merkle tree against the recursive definitions of RFC 6962, section 2.1, written down literally."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.ledger import merkle

Leaves = st.lists(st.binary(max_size=4), max_size=130)


def rfc_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def rfc_root(data: list[bytes]) -> bytes:
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = rfc_split(len(data))
    return sha256(b"\x01" + rfc_root(data[:k]) + rfc_root(data[k:])).digest()


def rfc_path(m: int, data: list[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    k = rfc_split(len(data))
    if m < k:
        return [*rfc_path(m, data[:k]), rfc_root(data[k:])]
    return [*rfc_path(m - k, data[k:]), rfc_root(data[:k])]


def rfc_subproof(m: int, data: list[bytes], known: bool) -> list[bytes]:
    if m == len(data):
        return [] if known else [rfc_root(data)]
    k = rfc_split(len(data))
    if m <= k:
        return [*rfc_subproof(m, data[:k], known), rfc_root(data[k:])]
    return [*rfc_subproof(m - k, data[k:], False), rfc_root(data[:k])]


def complete_nodes(data: list[bytes]) -> merkle.Node:
    """What a store keeps: leaf hashes, and inner nodes by their position."""
    edge = merkle.Edge()
    leaves = [merkle.hash_leaf(d) for d in data]
    inner = [node for leaf in leaves for node in edge.append(leaf)]
    assert len(inner) == merkle.node_count(len(data))
    return lambda level, index: inner[merkle.node_position(level, index) - 1] if level else leaves[index]


@given(Leaves)
def test_root_is_the_rfcs_root_by_every_way_of_computing_it(data: list[bytes]) -> None:
    node = complete_nodes(data)
    edge = merkle.Edge()
    for item in data:
        edge.append(merkle.hash_leaf(item))

    assert edge.root() == rfc_root(data)
    assert merkle.compute_root(len(data), node) == rfc_root(data)
    assert merkle.Edge.load(len(data), node).root() == rfc_root(data)


@given(Leaves.filter(bool), st.data())
def test_inclusion_proof_is_the_rfcs_path_and_proves_only_its_entry(data: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(data) - 1))
    proof = merkle.inclusion_proof(index, len(data), complete_nodes(data))
    leaf, root = merkle.hash_leaf(data[index]), rfc_root(data)

    assert proof == rfc_path(index, data)
    assert merkle.verify_inclusion(leaf, index, len(data), proof, root)
    assert not merkle.verify_inclusion(merkle.hash_leaf(data[index] + b"!"), index, len(data), proof, root)
    assert not merkle.verify_inclusion(leaf, index, len(data), [*proof, root], root)
    assert not merkle.verify_inclusion(leaf, len(data), len(data), proof, root)
    for place in range(len(proof)):
        broken = [*proof[:place], bytes(32), *proof[place + 1 :]]
        assert not merkle.verify_inclusion(leaf, index, len(data), broken, root)
        assert not merkle.verify_inclusion(leaf, index, len(data), proof[:place], root)


@given(Leaves, st.data())
def test_consistency_proof_is_the_rfcs_and_refuses_another_history(data: list[bytes], draw: st.DataObject) -> None:
    size = len(data)
    old = draw.draw(st.integers(0, size))
    proof = merkle.consistency_proof(old, size, complete_nodes(data))
    old_root, root = rfc_root(data[:old]), rfc_root(data)

    if old > 0:
        assert proof == rfc_subproof(old, data, True)
    assert merkle.verify_consistency(old, size, old_root, root, proof)
    assert not merkle.verify_consistency(old, size, old_root, bytes(32), proof) or old == 0
    assert not merkle.verify_consistency(old, size, bytes(32), root, proof)
    assert not merkle.verify_consistency(old, size, old_root, root, [*proof, root])
    for place in range(len(proof)):
        broken = [*proof[:place], bytes(32), *proof[place + 1 :]]
        assert not merkle.verify_consistency(old, size, old_root, root, broken)


def test_node_positions_are_the_order_of_completion_without_gaps() -> None:
    edge = merkle.Edge()
    expected = 0
    for leaf in range(1, 200):
        for level in range(1, len(edge.append(bytes(32))) + 1):
            expected += 1
            assert merkle.node_position(level, (leaf >> level) - 1) == expected
    assert expected == merkle.node_count(199)


def test_published_test_vector_of_certificate_transparency() -> None:
    """The eight inputs and roots that implementations of RFC 6962 check themselves against."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    edge = merkle.Edge()
    for item in inputs:
        edge.append(merkle.hash_leaf(bytes.fromhex(item)))
    assert edge.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_sizes_that_make_no_sense_are_refused() -> None:
    node = complete_nodes([b"a", b"b"])
    with pytest.raises(ValueError, match="no entry with index 2"):
        merkle.inclusion_proof(2, 2, node)
    with pytest.raises(ValueError, match="no earlier state of 3"):
        merkle.consistency_proof(3, 2, node)
    with pytest.raises(ValueError, match="2 peaks, not 1"):
        merkle.Edge(3, [bytes(32)])

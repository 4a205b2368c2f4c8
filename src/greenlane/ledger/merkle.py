"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, proofs and their checks. Pure: no I/O, no clock.

The writer appends with an `Edge`, which holds only the roots of the complete subtrees at the right edge (at most one
per bit of the size). Proofs are made from a lookup `node(level, index)`: the hash over the `2**level` entries from
`index * 2**level`, level 0 being the leaf hashes. Only complete nodes are ever asked for, so a store needs to keep
nothing that changes later. Complete inner nodes come into being in a fixed order; `node_position` is the place in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

Node = Callable[[int, int], bytes]
"""`node(level, index)` gives the hash of a complete subtree."""

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32


def hash_leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Edge:
    """The right edge of a growing tree: `peaks` are the roots of its complete subtrees, the largest first."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} entries has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    @classmethod
    def load(cls, size: int, node: Node) -> Edge:
        return cls(size, [node(level, index) for level, index in peaks_of(size)])

    def copy(self) -> Edge:
        return Edge(self.size, self.peaks)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf hash; gives the inner nodes that it completes, from the lowest up."""
        completed: list[bytes] = []
        size, peaks = self.size, self.peaks
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            completed.append(leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = hash_node(peak, root)
        return root


def peaks_of(size: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees of a tree of this size, the largest first."""
    peaks = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append((level, start >> level))
            start += 1 << level
    return peaks


def node_position(level: int, index: int) -> int:
    """The place, from 1, of an inner node (level >= 1) in the order in which inner nodes become complete."""
    last_leaf = ((index + 1) << level) - 1
    return last_leaf - last_leaf.bit_count() + level


def node_count(size: int) -> int:
    """How many complete inner nodes a tree of this size has."""
    return size - size.bit_count()


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 6962's k)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(start: int, end: int, node: Node) -> bytes:
    """MTH(D[start:end]) for the ranges that the RFC's recursions visit: `start` is aligned to their size."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return hash_node(_range_root(start, middle, node), _range_root(middle, end, node))


def compute_root(size: int, node: Node) -> bytes:
    return _range_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]) of section 2.1.1: from the leaf up. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"there is no entry with index {index} in a tree of {size}")
    siblings = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [_range_root(a, b, node) for a, b in reversed(siblings)]


def consistency_proof(old_size: int, new_size: int, node: Node) -> list[bytes]:
    """PROOF(old_size, D[new_size]) of section 2.1.2. Raises ValueError unless 0 <= old_size <= new_size.

    It is empty where there is nothing to show: from the empty tree, or between equal sizes.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} entries has no earlier state of {old_size}")
    if old_size in (0, new_size):
        return []
    ranges = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # the old tree is no complete subtree of the new one, so its own root is not known yet
        ranges.append((start, end))
    return [_range_root(a, b, node) for a, b in reversed(ranges)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf hash at `index` to the root of `size` entries (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = hash_node(sibling, computed)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            computed = hash_node(computed, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and computed == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the older tree to be the beginning of the newer one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # then the old root is itself a node of the new tree, and not in the proof
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_computed = hash_node(sibling, old_computed)
            new_computed = hash_node(sibling, new_computed)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            new_computed = hash_node(new_computed, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and old_computed == old_root and new_computed == new_root

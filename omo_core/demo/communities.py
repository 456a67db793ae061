"""Communities of stores: groups that the same households visit, by greedy modularity on a weighted graph."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_NEVER: Final = np.iinfo(np.int64).min


def covisits(household: Ints, store: Ints, stores: Ints) -> Ints:
    """Symmetric weights between stores: over households, the product of the whole roots of their visits to each.

    `household` and `store` have one entry a visit; rows and columns follow `stores`, which is sorted. The root keeps
    a household that comes daily from outweighing fifty that come weekly. The diagonal is zero.
    """
    _, family = np.unique(household, return_inverse=True)
    visits = np.zeros((family.max(initial=-1) + 1, len(stores)), np.int64)
    np.add.at(visits, (family, np.searchsorted(stores, store)), 1)
    # Roots and sums are whole numbers far below 2**53, so the quick float product is exact on every machine.
    roots = np.floor(np.sqrt(visits.astype(np.float64)))
    weights: Ints = np.rint(roots.T @ roots).astype(np.int64)
    np.fill_diagonal(weights, 0)
    return weights


def communities(weights: Ints, count: int) -> Ints:
    """Label 0 … count−1 of each vertex; labels number communities by their smallest vertex.

    Merges the pair that gains most modularity until `count` are left (Clauset, Newman, Moore, "Finding community
    structure in very large networks", 2004), then moves single vertices while that gains. All arithmetic is whole,
    so the answer is the same on every machine; ties go to the smaller index.
    """
    gains = _gains(weights)
    labels = _merge(gains.copy(), count)
    _refine(gains, labels)
    _, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[labels]


def _gains(weights: Ints) -> Ints:
    """Modularity gained by joining two vertices, times the square of the total weight, to stay whole."""
    degree = weights.sum(axis=1)
    gains: Ints = degree.sum() * weights - np.outer(degree, degree)
    return gains


def _merge(gains: Ints, count: int) -> Ints:
    size = len(gains)
    labels = np.arange(size)
    np.fill_diagonal(gains, _NEVER)
    for _ in range(size - count):
        kept, gone = sorted(divmod(int(np.argmax(gains)), size))
        open_pairs = (gains[kept] != _NEVER) & (gains[gone] != _NEVER)
        row = np.where(open_pairs, gains[kept] + gains[gone], _NEVER)
        gains[kept], gains[:, kept] = row, row
        gains[gone], gains[:, gone] = _NEVER, _NEVER
        labels[labels == gone] = kept
    return labels


def _refine(gains: Ints, labels: Ints, rounds: int = 50) -> None:
    """Move each vertex to the community it belongs to most, round after round until nothing moves; in place."""
    names = np.unique(labels)
    off_diagonal = gains.copy()
    np.fill_diagonal(off_diagonal, 0)
    for _ in range(rounds):
        moved = False
        for vertex, row in enumerate(off_diagonal):
            pull = np.array([row[labels == name].sum() for name in names])
            best = names[int(np.argmax(pull))]
            alone = (labels == labels[vertex]).sum() == 1
            if best != labels[vertex] and not alone and pull.max() > pull[names == labels[vertex]][0]:
                labels[vertex] = best
                moved = True
        if not moved:
            return

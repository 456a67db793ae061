"""Communities against a slow twin, and on a graph whose answer is plain."""

import itertools
import math

import numpy as np

from omo_core.demo.communities import communities, covisits


def modularity(weights: np.ndarray, labels: tuple[int, ...]) -> int:
    """Times the squared total weight, straight from the definition."""
    total = int(weights.sum())
    return sum(
        total * int(weights[i, j]) - int(weights[i].sum()) * int(weights[j].sum())
        for i in range(len(weights))
        for j in range(len(weights))
        if labels[i] == labels[j]
    )


def random_graph(seed: int, size: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).integers(0, 6, (size, size)), 1)
    return (upper + upper.T).astype(np.int64)


def test_two_cliques_with_a_bridge_are_two_communities() -> None:
    weights = np.zeros((8, 8), np.int64)
    weights[:4, :4] = weights[4:, 4:] = 5
    np.fill_diagonal(weights, 0)
    weights[0, 4] = weights[4, 0] = 1
    assert communities(weights, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_no_single_move_gains_modularity() -> None:
    for seed in range(8):
        weights = random_graph(seed, 9)
        labels = tuple(communities(weights, 3).tolist())
        reached = modularity(weights, labels)
        for vertex, label in itertools.product(range(9), range(3)):
            moved = (*labels[:vertex], label, *labels[vertex + 1 :])
            if len(set(moved)) == 3:
                assert modularity(weights, moved) <= reached


def test_labels_are_numbered_by_their_smallest_member_and_none_is_empty() -> None:
    for seed in range(8):
        labels = communities(random_graph(seed, 12), 4).tolist()
        firsts = [labels.index(label) for label in range(4)]
        assert firsts == sorted(firsts)


def test_covisits_follow_their_definition() -> None:
    rng = np.random.default_rng(3)
    household, store = rng.integers(0, 5, 60), rng.choice([7, 11, 13, 20], 60)
    stores = np.array([7, 11, 13, 20])
    weights = covisits(household, store, stores)
    for i, j in itertools.product(range(4), range(4)):
        expected = 0
        for family in range(5):
            mine, other = (int(((household == family) & (store == stores[k])).sum()) for k in (i, j))
            expected += math.isqrt(mine) * math.isqrt(other) if i != j else 0
        assert weights[i, j] == expected

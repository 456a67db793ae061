"""Naive twins of the kernels that improve a wave's plan: same names, same answers, plain Python."""

# ruff: noqa: PLR0917 - the twins take what the kernels take

from __future__ import annotations

import itertools
from typing import Any

from omo_core.allocation.chain_kernels import MOST_OCCUPANTS
from omo_core.allocation.ruin_kernels import FACES, OCCUPANTS, REFRESH, WANTERS
from tests.naive import decide_order
from tests.naive_rules import parcel_price, work_of


def roll(dice: Any, sides: int) -> int:
    """Marsaglia's xorshift32 (13, 17, 5); its upper 28 bits are spread over the sides."""
    face = int(dice[0])
    for left, right in ((13, 0), (0, 17), (5, 0)):
        face ^= (face << left) % 2**32 if left else face >> right
    dice[0] = face
    return (face // 16) * sides // 2**28


def _lines(block: Any, order: int) -> range:
    return range(block.line_ptr[order], block.line_ptr[order + 1])


def _nodes_in_turn(picked_from: Any, places: Any) -> dict[int, int]:
    """Each candidate used, with the first place that uses it."""
    first: dict[int, int] = {}
    for place_of in places:
        if picked_from[place_of] >= 0:
            first.setdefault(int(picked_from[place_of]), place_of)
    return first


def cost_of_picks(block: Any, order: int, pick: Any, picked_from: Any, at: int, split_minor: int) -> int:
    """Units and penalties of all lines, each node's shipment, and the nodes beyond the first."""
    total = 0
    for i, row in enumerate(_lines(block, order)):
        entry = pick[at + i]
        total += int(block.quantity[row]) * int(block.unit_minor[entry] if entry >= 0 else block.unserved_minor[row])
    nodes = _nodes_in_turn(picked_from, range(at, at + len(_lines(block, order))))
    total += sum(int(block.fixed_minor[candidate]) for candidate in nodes)
    for candidate in nodes:
        sent = [row for i, row in enumerate(_lines(block, order)) if picked_from[at + i] == candidate]
        total += parcel_price(block, candidate, sum(int(block.quantity[row] * block.weight_g[row]) for row in sent))
    return total + split_minor * max(len(nodes) - 1, 0)


def _work(block: Any, order: int, candidate: int, state: Any) -> int:
    """What the lines that a candidate serves take from its node's capacity."""
    rows = [row for row in _lines(block, order) if state.picked_from[row] == candidate]
    return int(work_of(block, block.node[candidate], len(rows), sum(int(block.quantity[row]) for row in rows)))


def _everyone(head: Any, after: Any, where: int) -> list[int]:
    rows = [int(head[where])]
    while rows[-1] >= 0:
        rows.append(int(after[rows[-1]]))
    return rows[:-1]


def _rewrite(rows: list[int], head: Any, after: Any, before: Any, where: int) -> None:
    """Write a list anew, first to last."""
    head[where] = rows[0] if rows else -1
    for i, row in enumerate(rows):
        before[row] = rows[i - 1] if i else -1
        after[row] = rows[i + 1] if i + 1 < len(rows) else -1


def place(block: Any, order: int, pick: Any, picked_from: Any, at: int, state: Any) -> None:
    """Put each line at the head of its cell's list, the first line from a node at the head of the node's."""
    wanted = [(int(pick[at + i]), int(picked_from[at + i])) for i in range(len(_lines(block, order)))]
    for row, (entry, candidate) in zip(_lines(block, order), wanted, strict=True):
        state.pick[row], state.picked_from[row] = entry, candidate
        if entry >= 0:
            cell = block.cell[entry]
            state.stock[cell] -= block.quantity[row]
            rows = [row, *_everyone(state.head, state.after, cell)]
            _rewrite(rows, state.head, state.after, state.before, cell)
    for candidate, row in _nodes_in_turn(state.picked_from, _lines(block, order)).items():
        node = block.node[candidate]
        state.capacity[node] -= _work(block, order, candidate, state)
        rows = [row, *_everyone(state.node_head, state.node_after, node)]
        _rewrite(rows, state.node_head, state.node_after, state.node_before, node)


def remove(block: Any, order: int, state: Any) -> None:
    """Take the lines out of all lists and give back what they took."""
    for row in _lines(block, order):
        if state.pick[row] >= 0:
            cell = block.cell[state.pick[row]]
            state.stock[cell] += block.quantity[row]
            rows = [one for one in _everyone(state.head, state.after, cell) if one != row]
            _rewrite(rows, state.head, state.after, state.before, cell)
    for candidate, row in _nodes_in_turn(state.picked_from, _lines(block, order)).items():
        node = block.node[candidate]
        state.capacity[node] += _work(block, order, candidate, state)
        rows = [one for one in _everyone(state.node_head, state.node_after, node) if one != row]
        _rewrite(rows, state.node_head, state.node_after, state.node_before, node)


def copy_picks(block: Any, order: int, state: Any, pick: Any, picked_from: Any, at: int) -> None:
    """An order's picks, copied."""
    for i, row in enumerate(_lines(block, order)):
        pick[at + i], picked_from[at + i] = state.pick[row], state.picked_from[row]


def place_in_turn(block: Any, turn: Any, state: Any, split_minor: int, max_nodes: int, scratch: Any) -> None:
    """Decide and place."""
    for order in turn:
        decide_order(block, order, state.stock, state.capacity, split_minor, max_nodes, scratch)
        place(block, order, scratch.pick, scratch.picked_from, 0, state)


def _held(block: Any, order: int, state: Any) -> tuple[list[int], list[int]]:
    rows = slice(block.line_ptr[order], block.line_ptr[order + 1])
    return state.pick[rows].tolist(), state.picked_from[rows].tolist()


def _take(block: Any, order: int, state: Any, split_minor: int) -> tuple[int, tuple[list[int], list[int]]]:
    """Remove an order; what it cost and what it had."""
    cost = cost_of_picks(block, order, state.pick, state.picked_from, block.line_ptr[order], split_minor)
    had = _held(block, order, state)
    remove(block, order, state)
    return cost, had


def move_in_turn(block: Any, turn: Any, state: Any, split_minor: int, max_nodes: int, scratch: Any) -> int:
    """Remove, decide, and keep what is cheaper."""
    saved = 0
    for order in turn:
        before, had = _take(block, order, state, split_minor)
        after = decide_order(block, order, state.stock, state.capacity, split_minor, max_nodes, scratch)
        best = (scratch.pick, scratch.picked_from) if after < before else had
        place(block, order, best[0], best[1], 0, state)
        saved += before - min(before, after)
    return int(saved)


def make_wishes(
    priced: Any, first: int, stop: int, stock: Any, capacity: Any, split: int, max_nodes: int,
    scratch: Any, with_loss: bool, guide: Any,
) -> None:  # fmt: skip
    """Decide each order alone; again with each cell, and each node, of its answer closed."""
    for order in range(first, stop):
        rows = _lines(priced, order)
        if len(rows) > len(scratch.pick):
            continue
        guide.value[order] = decide_order(priced, order, stock, capacity, split, max_nodes, scratch)
        for i, row in enumerate(rows):
            guide.pick[row], guide.picked_from[row] = scratch.pick[i], scratch.picked_from[i]
        firsts = _nodes_in_turn(guide.picked_from, rows).values()
        for row in rows if with_loss else ():
            guide.loss[row] = guide.node_loss[row] = 0
            if guide.pick[row] < 0:
                continue
            less = stock.copy()
            less[priced.cell[guide.pick[row]]] = 0
            cost = decide_order(priced, order, less, capacity, split, max_nodes, scratch)
            guide.loss[row] = cost - guide.value[order]
            if row in firsts:
                less = capacity.copy()
                less[priced.node[guide.picked_from[row]]] = 0
                cost = decide_order(priced, order, stock, less, split, max_nodes, scratch)
                guide.node_loss[row] = cost - guide.value[order]


def chain_in_turn(
    block: Any, priced: Any, turn: Any, state: Any, guide: Any, split_minor: int, price_per_minor: int,
    max_nodes: int, most_steps: int, scratch: Any, chain: Any,
) -> int:  # fmt: skip
    """Displace, recursively: the twin may call itself."""
    saved = 0
    for order in turn:
        first = block.line_ptr[order]
        paid = cost_of_picks(priced, order, state.pick, state.picked_from, first, split_minor * price_per_minor)
        if paid <= guide.value[order] + price_per_minor // 4:
            continue
        steps = [most_steps]
        cost, had = _take(block, order, state, split_minor)
        world = block, state, guide, split_minor, max_nodes, scratch, chain.width, steps
        total = _settle(world, int(order), -cost, 0)
        if total == 0:
            place(block, order, *had, 0, state)
        saved -= total
    return int(saved)


def _settle(world: Any, who: int, net: int, level: int) -> int:
    """Find a place for `who`; the whole chain's net cost if that pays, else 0 with all as it was."""
    block, state, guide, split_minor, max_nodes, scratch, width, steps = world
    cost = decide_order(block, who, state.stock, state.capacity, split_minor, max_nodes, scratch)
    if net + cost < 0:
        place(block, who, scratch.pick, scratch.picked_from, 0, state)
        return int(net + cost)
    row = block.line_ptr[who]
    wish = cost_of_picks(block, who, guide.pick, guide.picked_from, row, split_minor)
    tried: list[int] = []
    while not block.ruled[who] and level + 1 < len(width) and len(tried) < width[level] and net + wish < 0:
        victim = _victim(block, who, state, guide, tried)
        if victim is None or steps[0] == 0:
            break
        tried.append(victim)
        steps[0] -= 1
        other = int(guide.order_of_line[victim])
        paid, had = _take(block, other, state, split_minor)
        if not _blocked(block, who, state, guide):
            place(block, who, guide.pick, guide.picked_from, row, state)
            if (total := _settle(world, other, net + wish - paid, level + 1)) < 0:
                return total
            remove(block, who, state)
        place(block, other, *had, 0, state)
    return 0


def _blocked(block: Any, order: int, state: Any, guide: Any) -> list[tuple[str, int]]:
    """The lines whose wished cell is short, and the wished nodes that are full."""
    rows = [row for row in _lines(block, order) if guide.pick[row] >= 0]
    short = [("cell", row) for row in rows if state.stock[block.cell[guide.pick[row]]] < block.quantity[row]]
    nodes = dict.fromkeys(int(block.node[guide.picked_from[row]]) for row in rows)
    return short + [("node", node) for node in nodes if state.capacity[node] <= 0]


def _victim(block: Any, who: int, state: Any, guide: Any, tried: list[int]) -> int | None:
    """Who loses least where `who` wants to be; None where more than one cell or node stands in the way."""
    blocked = _blocked(block, who, state, guide)
    kinds = [kind for kind, _ in blocked]
    if not blocked or kinds.count("cell") > 1 or kinds.count("node") > 1:
        return None
    kind, what = blocked[0]
    if kind == "cell":
        cell = block.cell[guide.pick[what]]
        rows = _everyone(state.head, state.after, cell)[:MOST_OCCUPANTS]
        rows = [row for row in rows if state.stock[cell] + block.quantity[row] >= block.quantity[what]]
        losses = [guide.loss[row] * (state.pick[row] == guide.pick[row]) for row in rows]
    else:
        rows = _everyone(state.node_head, state.node_after, what)[:MOST_OCCUPANTS]
        losses = [guide.node_loss[row] * (state.picked_from[row] == guide.picked_from[row]) for row in rows]
    options = [(loss, i) for i, loss in enumerate(losses) if rows[i] not in tried]
    return rows[min(options)[1]] if options else None


def list_contested(priced: Any, turn: Any, state: Any, guide: Any, split: int, slack: int, pool: Any) -> int:
    """Who pays more than the wish."""
    found = []
    for order in turn:
        first = priced.line_ptr[order]
        paid = cost_of_picks(priced, order, state.pick, state.picked_from, first, split)
        found += [order] if paid > guide.value[order] + slack else []
    pool[: len(found)] = found
    return len(found)


def ruin_and_recreate(
    block: Any, priced: Any, turn: Any, state: Any, guide: Any, split_minor: int, price_per_minor: int,
    max_nodes: int, trials: int, warmth: int, noise: int, scratch: Any, ruin: Any,
) -> int:  # fmt: skip
    """Take a group out, serve it again in random order, keep what is cheaper or lucky."""
    saved = contested = 0
    for trial in range(trials):
        if trial % REFRESH == 0:
            split = split_minor * price_per_minor
            contested = list_contested(priced, turn, state, guide, split, price_per_minor // 4, ruin.pool)
            if contested == 0:
                break
        group = _group(block, int(ruin.pool[roll(ruin.dice, contested)]), state, guide, noise, ruin)
        for i in range(len(group) - 1, 0, -1):
            j = roll(ruin.dice, i + 1)
            group[i], group[j] = group[j], group[i]
        before = [_take(block, order, state, split_minor) for order in group]
        costs, rate = (priced, price_per_minor) if roll(ruin.dice, 3) < 2 else (block, 1)
        place_in_turn(costs, group, state, split_minor * rate, max_nodes, scratch)
        paid = sum(cost for cost, _ in before)
        pays = sum(
            cost_of_picks(block, order, state.pick, state.picked_from, block.line_ptr[order], split_minor)
            for order in group
        )
        temperature = warmth * (trials - trial) // trials
        lucky = pays > paid and temperature > 0
        if lucky:
            lucky = (pays - paid) * 1024 <= temperature * ruin.patience[roll(ruin.dice, FACES)]
        if pays <= paid or lucky:
            saved += paid - pays
            continue
        for order in group:
            remove(block, order, state)
        for order, (_, had) in zip(group, before, strict=True):
            place(block, order, *had, 0, state)
    return int(saved)


def _group(block: Any, start: int, state: Any, guide: Any, noise: int, ruin: Any) -> list[int]:
    """Breadth first: whoever stands in the way of a line, then who wants what it has."""
    limit = 3 + roll(ruin.dice, len(ruin.out) - 2)
    group = [start]
    for order in group:
        if len(group) >= limit:
            break
        for row in _lines(block, order):
            for look in (_in_the_way, _in_want):
                found = look(block, row, state, guide, noise, ruin, group)
                if found is not None and len(group) < limit:
                    group.append(found)
    return group


def _in_the_way(block: Any, row: int, state: Any, guide: Any, noise: int, ruin: Any, group: list[int]) -> int | None:
    entry = guide.pick[row]
    if entry < 0 or entry == state.pick[row]:
        return None
    cell, node = block.cell[entry], block.node[guide.picked_from[row]]
    if state.stock[cell] < block.quantity[row]:
        rows = _everyone(state.head, state.after, cell)
        held, wished, losses = state.pick, guide.pick, guide.loss
    elif state.capacity[node] <= 0:
        rows = _everyone(state.node_head, state.node_after, node)
        held, wished, losses = state.picked_from, guide.picked_from, guide.node_loss
    else:
        return None
    options = []
    for i, one in enumerate(rows[:OCCUPANTS]):
        if guide.order_of_line[one] not in group:
            loss = losses[one] if held[one] == wished[one] else 0
            options.append((loss + roll(ruin.dice, noise + 1), i))
    return int(guide.order_of_line[rows[min(options)[1]]]) if options else None


def _in_want(block: Any, row: int, state: Any, guide: Any, noise: int, ruin: Any, group: list[int]) -> int | None:
    if state.pick[row] < 0:
        return None
    node = block.node[state.picked_from[row]]
    if state.capacity[node] <= 0 and roll(ruin.dice, 2) == 0:
        rows = ruin.node_wanted_by[ruin.node_wanted_ptr[node] : ruin.node_wanted_ptr[node + 1]].tolist()
        held, wished = state.picked_from, guide.picked_from
    else:
        cell = block.cell[state.pick[row]]
        rows = ruin.wanted_by[ruin.wanted_ptr[cell] : ruin.wanted_ptr[cell + 1]].tolist()
        held, wished = state.pick, guide.pick
    if not rows:
        return None
    start = roll(ruin.dice, len(rows))
    for one in (rows[start:] + rows[:start])[:WANTERS]:
        if held[one] != wished[one] and guide.order_of_line[one] not in group:
            return int(guide.order_of_line[one])
    return None


def list_columns(
    priced: Any, turn: Any, value: Any, stock: Any, capacity: Any, delta: int, split: int, max_nodes: int,
    most: int, parts: Any, count: Any, pick: Any, picked_from: Any,
) -> int:  # fmt: skip
    """Every combination of entries, one or none for each line, that is cheap enough; rows in rising order of entries."""
    total = 0
    for i, order in enumerate(turn):
        rows = _lines(priced, order)
        if priced.ruled[order]:
            count[i] = 0
            continue
        options: list[list[tuple[int, int]]] = [[(-1, -1)] for _ in rows]
        for candidate in range(priced.candidate_ptr[order], priced.candidate_ptr[order + 1]):
            for entry in range(priced.entry_ptr[candidate], priced.entry_ptr[candidate + 1]):
                enough = stock[priced.cell[entry]] >= priced.quantity[rows[priced.line[entry]]]
                if enough and capacity[priced.node[candidate]] > 0:
                    options[priced.line[entry]].append((entry, candidate))
        ways = []
        for way in itertools.product(*options):
            entries, candidates = [one[0] for one in way], [one[1] for one in way]
            cost = cost_of_picks(priced, order, entries, candidates, 0, split)
            if len(set(candidates) - {-1}) <= max_nodes:
                ways.append((cost - int(value[order]), entries, candidates))
        allowed = delta
        while allowed > 0 and sum(extra <= allowed for extra, _, _ in ways) > most:
            allowed //= 2
        near = sorted((entries, candidates) for extra, entries, candidates in ways if extra <= allowed and allowed > 0)
        for entries, candidates in near:
            pick[total, : len(rows)], picked_from[total, : len(rows)] = entries, candidates
            total += 1
        count[i] = len(near)
    return total

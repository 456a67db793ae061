"""Refusals: a command's answer when it says no, as a value with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

from omo_core.model.values import Value


class Refusal(Value):
    """A command's answer when it says no: a stable code, the numbers behind it, and an English sentence.

    A host translates by `code` and `parameters`; the sentence is made from them and never parsed.
    """

    code: str
    parameters: Mapping[str, str | int | None]
    sentence: str

    @classmethod
    def of(cls, code: str, **parameters: str | int | None) -> Self:
        """Build the refusal of a catalogued code; an unknown code or a missing parameter is a defect."""
        return cls(code=code, parameters=parameters, sentence=REFUSAL_SENTENCES[code].format(**parameters))


REFUSAL_SENTENCES: Final[Mapping[str, str]] = {
    "insufficient_stock": "Only {available} of {wanted} units of {sku} are free at {node}; hold fewer, or elsewhere.",
    "unknown_sku": "The item {sku} is not known to this pool; load it with the network first.",
    "unknown_node": "The node {node} is not known to this pool; load it with the network first.",
    "row_halted": "Stock of {sku} at {node} is halted after a broken invariant; run `omo audit` and repair it first.",
    "row_is_sound": "Stock of {sku} at {node} breaks no invariant and is not halted; count it, there is nothing to repair.",
    "unknown_finding": "The audit does not say now: {sentence} Copy a sentence that it says of no stock row.",
    "key_reused": "The key {key} was used for another request; nothing was applied. Use a new key for a new command.",
    "unknown_hold": "No hold {hold} exists in this pool.",
    "hold_not_open": "Hold {hold} is already {state}; only a placed or confirmed hold can be changed.",
    "hold_expired": "Hold {hold} expired at {expired_at}; place a new one.",
    "exceeds_pending": "Hold {hold} has {pending} pending units, fewer than the {wanted} asked for.",
    "hold_without_end": "Hold {hold} does not expire; there is nothing to extend.",
    "not_an_extension": "Hold {hold} lasts until {expires_at} already; ask for a later time.",
    "extension_limit": "Hold {hold} was extended {extended} times, which is the limit; confirm it or place a new one.",
    "beyond_maximum_life": "Hold {hold} may last until {dies_at} at most; ask for less, or confirm it.",
    "no_capacity": "{node} can take only {available} of {wanted} units of work in the slot at {slot_at}; take another.",
    "capacity_below_used": "{used} units of work are claimed at {node} in the slot at {slot_at}; its capacity cannot be {wanted}.",
    "no_slot_claim": "Order {owner} holds no work of {node} in the slot at {slot_at}; it was never claimed, done or given back.",
    "quota_exhausted": "Only {available} of {wanted} units of {sku} are left in the quota of {channel}; hold fewer.",
    "ring_fenced": "Only {available} of {wanted} units of {sku} are not kept for other channels; hold fewer.",
    "quota_below_used": "{used} units of {sku} are promised or sold through {channel}; its cap cannot be {wanted}.",
    "unknown_quota": "The channel {channel} has no quota of {sku}; there is nothing to drop.",
    "backorders_closed": "No units of {sku} are promised ahead of stock now; set a cap, or wait for its time.",
    "backorder_cap_reached": "Only {available} of {wanted} units of {sku} can still be promised ahead of stock.",
    "cap_below_promised": "{promised} units of {sku} are promised ahead of stock; their cap cannot be {wanted}.",
    "unknown_backorder": "No backorder {backorder} exists in this pool.",
    "backorder_not_open": "Backorder {backorder} waits for nothing any more; it was converted or given up.",
    "exceeds_open": "Backorder {backorder} has {open} open units, fewer than the {wanted} asked for.",
    "quantity_limit": "{sku} at {node} would have {on_hand} units, more than the {most} that a row may; correct the quantity.",
    "read_in_future": "What stock was at {as_of} cannot be known at {now}; correct the sender's clock.",
    "stale_reading": "What {sku} at {node} held at {as_of} was replaced by what it held at {newest}; nothing was changed.",
    "exceeds_issued": "Of hold {hold} {issued} units were issued and {returned} came back; {wanted} more cannot.",
    "hold_mismatch": "Hold {hold} is of {sku} at {node}; name a hold of the goods that the line names.",
    "not_in_condition": "The book has {available} of {wanted} units of {sku} at {node} that are {condition}; count them first.",
    "transfer_exists": "Transfer {transfer} was shipped under another key; give each transfer an id of its own.",
    "unknown_transfer": "No transfer {transfer} exists in this pool; ship it first, or receive its goods without it.",
    "inbound_cancelled": "{sku} of announcement {inbound} was cancelled at {node}; announce it under a new reference.",
    "unknown_inbound": "Nothing is announced under {inbound} at {node}; there is nothing to cancel.",
    "stale_feed": "Number {sequence} of feed {source} is not newer than {stored}, the last one for {sku} at {node}.",
    "stale_version": "Version {version} of order {order} is older than the stored {stored}; it was not applied.",
    "version_conflict": "Version {version} of order {order} came with two contents; raise the version of the newer.",
    "already_shipped": "Order {order} now asks for less than has left; book the difference as a return.",
    "order_cancelled": "Order {order} was cancelled; it takes no further changes.",
    "unknown_order": "No order {order} of {channel} is known to this pool.",
    "order_not_held": "Order {order} is {state} and not held; there is nothing to release.",
    "order_closed": "Order {order} is already {state}; it takes no further changes.",
    "line_without_sku": "Line {line} of order {order} names no item; map its listing to an item and send it again.",
    "too_many_components": "Order {order} has over {limit} lines once its kits are taken apart; send it in parts.",
    "unknown_fulfilment_order": "No fulfilment order {fulfilment} exists in this pool.",
    "parcels_mismatch": "The parcels hold other units than fulfilment order {fulfilment}; let them hold each of its units once.",
    "wrong_state": "Fulfilment order {fulfilment} is {state}; {action} needs {needed}.",
    "no_node": "No node can serve {missing} of {wanted} units of {sku}.",
    "no_stock": "No node holds {sku}; {missing} of {wanted} units wait for a receipt.",
    "sold_out": "The last of {sku} is taken; {missing} of {wanted} units wait for a receipt.",
    "no_eligible_node": "No node that holds {sku} may serve this order; {missing} of {wanted} units are unserved.",
    "over_quota": "The channel may take no more of {sku}; {missing} of {wanted} units are unserved.",
    "kept_for_others": "What is left of {sku} is kept for other channels; {missing} of {wanted} units are unserved.",
    "node_limit": "The order may use no further node; {missing} of {wanted} units of {sku} are unserved.",
    "kit_apart": "No node can put together {missing} of {wanted} of the kit {sku}; its parts come from one node.",
    "waits_for_kit": "{missing} of {wanted} units of {sku} wait until a kit of this order that needs {sku} has its node.",
    "kept_complete": "{missing} of {wanted} units of {sku} wait with the rest of their order, which is to be sent complete.",
    "capability_missing": "The channel {channel} cannot do {intent}: {why}.",
    "too_dear": "Serving {missing} of {wanted} units of {sku} costs more than the policy's price of not serving them.",
}

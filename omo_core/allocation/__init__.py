"""The allocator: which node serves which unit of which order, how the order is split, and why."""

from omo_core.allocation.cells import CellRule, Cells
from omo_core.allocation.costs import CostTerm, PairPrice, default_terms
from omo_core.allocation.demand import DemandLine, NodeState, OrderDemand
from omo_core.allocation.dual import Dual, solve_dual
from omo_core.allocation.eligibility import Rule, default_rules
from omo_core.allocation.exact import solve_exact
from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.plan import Assignment, LineShortfall, OrderPlan, Plan, RunnerUp
from omo_core.allocation.policy import NodeKindCosts, SourcingPolicy
from omo_core.allocation.prices import Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.router import EncodedOrder, Routed, Router
from omo_core.allocation.solving import solve
from omo_core.allocation.special import NodeWork
from omo_core.allocation.tariffs import ParcelTariff, WeightBand
from omo_core.allocation.verify import verify_plan
from omo_core.allocation.warmup import warmup
from omo_core.allocation.wave import WaveProgress, solve_wave
from omo_core.allocation.work_budget import WorkBudget

__all__ = [
    "AllocationProblem",
    "Assignment",
    "CellRule",
    "Cells",
    "CostTerm",
    "DemandLine",
    "Dual",
    "EncodedOrder",
    "LineShortfall",
    "NetworkIndex",
    "NodeKindCosts",
    "NodeState",
    "NodeWork",
    "OrderDemand",
    "OrderPlan",
    "PairPrice",
    "ParcelTariff",
    "Plan",
    "Prices",
    "Routed",
    "Router",
    "Rule",
    "RunnerUp",
    "SourcingPolicy",
    "WaveProgress",
    "WeightBand",
    "WorkBudget",
    "default_rules",
    "default_terms",
    "solve",
    "solve_dual",
    "solve_exact",
    "solve_greedy",
    "solve_wave",
    "verify_plan",
    "warmup",
]

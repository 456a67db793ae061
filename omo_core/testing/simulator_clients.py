"""Simulated clients and the network between them and the service: what is sent arrives late, twice, or never."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.testing.simulator_commands import any_command
from omo_core.testing.simulator_desk import Desk

PATIENCE_ROUNDS: Final = 35


@dataclass(slots=True)
class Request:
    """One command of one client, however often it is sent."""

    number: int
    command: StockCommand
    sent_round: int
    answer: StockAnswer | None = None
    """The first answer that reached the client."""
    abandoned: bool = False


@dataclass
class Network:
    """Messages on their way, each due at a round; those of one round arrive in any order."""

    dice: random.Random
    trouble: float
    """Chance that a message is late, doubled or lost, each."""
    fired: Counter[str] = field(default_factory=Counter)
    _on_the_way: list[tuple[int, float, int, Request]] = field(default_factory=list)
    _sent: int = 0

    def send(self, request: Request, now_round: int) -> None:
        """Put a message on its way."""
        copies = 1
        if self.dice.random() < self.trouble:
            copies = 0
            self.fired["message_lost"] += 1
        elif self.dice.random() < self.trouble:
            copies = 2
            self.fired["message_doubled"] += 1
        for _ in range(copies):
            delay = 0
            if self.dice.random() < self.trouble:
                delay = self.dice.randint(1, 30)
                self.fired["message_delayed"] += 1
            self._sent += 1
            heapq.heappush(self._on_the_way, (now_round + delay, self.dice.random(), self._sent, request))

    def due(self, now_round: int, most: int) -> list[Request]:
        """At most so many messages that have arrived by now."""
        arrived: list[Request] = []
        while self._on_the_way and len(arrived) < most and self._on_the_way[0][0] <= now_round:
            arrived.append(heapq.heappop(self._on_the_way)[3])
        return arrived

    def loses_answer(self) -> bool:
        """Whether the answer to a message does not come back."""
        lost = self.dice.random() < self.trouble
        self.fired["answer_not_heard"] += lost
        return lost


@dataclass
class Clients:
    """Everyone who sends commands: each has a scope of its own, counts its keys, and waits for answers."""

    dice: random.Random
    network: Network
    desk: Desk
    count: int = 5
    fired: Counter[str] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)
    waiting: dict[int, Request] = field(default_factory=dict)
    """Requests without an answer that their client has not given up."""
    _keys: Counter[str] = field(default_factory=Counter)

    def issue(self, now_round: int) -> Request:
        """A new command; rarely a client uses a key again that stands for another one."""
        number = len(self.requests)
        scope = f"client-{self.dice.randrange(self.count)}"
        self._keys[scope] += 1
        key = str(self._keys[scope])
        if self.requests and self.dice.random() < 0.01:
            stolen = self.dice.choice(self.requests[-50:]).command
            scope, key = stolen.scope, stolen.key
            self.fired["key_reused"] += 1
        request = Request(number, any_command(self.desk, scope, key), now_round)
        self.requests.append(request)
        self.waiting[number] = request
        self.network.send(request, now_round)
        return request

    def ask_again(self, now_round: int) -> None:
        """Who waited too long sends the same command again, or gives it up; also who has its answer may send again."""
        late = [one for one in self.waiting.values() if now_round - one.sent_round > PATIENCE_ROUNDS]
        for request in late:
            request.sent_round = now_round
            if self.dice.random() < 0.02:
                request.abandoned = True
                del self.waiting[request.number]
                self.fired["given_up"] += 1
            else:
                self.network.send(request, now_round)
                self.fired["sent_again"] += 1
        if self.requests and self.dice.random() < 0.2:
            self.network.send(self.dice.choice(self.requests[-200:]), now_round)
            self.fired["sent_again_for_nothing"] += 1

    def hear(self, request: Request, answer: StockAnswer) -> str | None:
        """A client gets an answer; returns what is wrong with it, compared with the one it got before."""
        self.waiting.pop(request.number, None)
        if request.answer is None:
            request.answer = answer
            self.desk.heard(answer)
        if request.answer != answer:
            return f"request {request.number} was answered {request.answer} and later {answer}"
        return None

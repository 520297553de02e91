# SPDX-License-Identifier: Apache-2.0
"""What overhead.py compares: statements with the same result, and what ours has to reach."""

import operator
from dataclasses import dataclass, field

from rounds import Statement, ratio

HEIGHT, WIDTH = 1080, 1920


@dataclass
class Goal:
    """Ours is at least so many times as fast as that way, or takes at most so many times as long."""

    times: float
    other: str
    at_most: bool = False

    def judge(self, ours, other):
        """What processes.write takes, but for the group's name."""
        word, fast = ("at most", "") if self.at_most else ("at least", "as fast as ")
        return {
            "text": f"{word} {self.times:g} x {fast}{self.other}",
            "found": ratio(ours, other) if self.at_most else ratio(other, ours),
            "limit": self.times,
            "at_most": self.at_most,
        }


@dataclass
class Group:
    """Statements by name, as code or (code, keywords). The first is ours, the second the usual way. Of
    "parts" each is by itself."""

    name: str
    ways: dict
    check: object = None  # called with (name, result) of every statement
    goals: list = field(default_factory=list)

    def __post_init__(self):
        pairs = [
            (name, (way, {}) if isinstance(way, str) else way) for name, way in self.ways.items()
        ]
        self.statements = [Statement(name, code, **keywords) for name, (code, keywords) in pairs]

    def find(self, name):
        return next((s for s in self.statements if s.name == name), None)

    def rows(self):
        ours = self.statements[0]
        for s in self.statements:
            row = {"call": self.name, "way": s.name, "ns": s.median, "least": s.minimum}
            if s is not ours and not self.name.startswith("parts"):
                row["faster"] = ratio(s, ours)
            yield row

    def judged(self):
        for goal in self.goals:
            other = self.find(goal.other)
            if other:
                found = goal.judge(self.statements[0], other)
                yield found | {"text": f"{self.name}: {found['text']}", "unit": "x"}


def is_ours(statement):
    """Does pixview run in it? memory_repr has its functions under Savant's names."""
    return "pixview" in statement.code or "memory_repr" in statement.code


def check(groups, namespace):
    """Every statement once, by its result."""
    for group in groups:
        if group.check is None:
            continue
        for statement in filter(lambda s: s.checked, group.statements):
            found = eval(statement.code, dict(namespace))
            group.check(f"{group.name}, {statement.code}", found)


def empty_call(namespace):
    """What any call into C costs."""
    nop = getattr(getattr(namespace["pixview"], "_core", None), "_nop", None)
    namespace["nop"] = nop or operator.index
    return {"an empty C call" + ("" if nop else " (operator.index)"): "nop(1)"}

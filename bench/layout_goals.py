# SPDX-License-Identifier: Apache-2.0
"""What layout.py has to reach: a table's rows against the copy and the peers in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`times` the speed of the way `other`; "launches": at most so many kernels."""

    other: str
    times: float
    about: str = ""

    @property
    def text(self):
        if self.other == "launches":
            return f"{self.about}stack takes one kernel launch, as torch's profiler saw"
        if self.other == "copy":
            return f"{self.about}at least {100 * self.times:g} % of a copy of the same bytes"
        if self.times == 1:
            return f"{self.about}ahead of {self.other}"
        return f"{self.about}at least {self.times:g} x {self.other}"

    def times_of(self, row):
        import gputime

        return gputime.percent(row.find(self.other), row.find("pixview")) / 100

    def in_words(self, times):
        return f"{100 * times:.1f} %" if self.other == "copy" else f"{times:.2f} x"

    def found(self, row):
        """What was reached, in words, with the least and the greatest of several processes."""
        each = [self.times_of(part) for part in row.processes]
        spread = f" ({self.in_words(min(each))} to {self.in_words(max(each))})" if each else ""
        return self.in_words(self.times_of(row)) + spread

    def judge(self, row):
        """(reached, found in words); None where the way was not measured."""
        if self.other == "launches":
            return row.launches == self.times, f"{row.launches} launches"
        if row.find(self.other) is None:
            return None
        return self.times_of(row) >= self.times, self.found(row) + self.floor(row)

    def floor(self, row):
        """Why no kernel could: the other way's own share of a copy."""
        import gputime

        copy, other = row.find("copy"), row.find(self.other)
        share = gputime.percent(copy, other) if other is not copy else 0
        if share * self.times <= 100 or self.times == 1:
            return ""
        return (
            f" (the floor: {self.other} alone reaches {share:.0f} % of a copy, and {self.times:g} "
            f"times that is {share * self.times:.0f} %)"
        )


def least(goal, rows):
    """The row that is nearest to missing, or misses most."""
    if goal.other == "launches" or not rows:
        return ""
    return ", least " + goal.found(min(rows, key=goal.times_of))


def lines(rows):
    """A line for every goal, and one for every row that misses it."""
    found = {}
    for row in rows:
        for goal in row.goals:
            found.setdefault(goal.text, []).append((goal, row, goal.judge(row)))
    text = []
    for name, judged in found.items():
        measured = [(row, verdict) for _, row, verdict in judged if verdict is not None]
        misses = [(row, words) for row, (reached, words) in measured if not reached]
        word = "?   " if not measured else "MISS" if misses else "PASS"
        count = f"{len(measured) - len(misses)} of {len(measured)} rows"
        count += least(judged[0][0], [row for row, _ in measured])
        rest = len(judged) - len(measured)
        text.append(f"- {word}  {name}: {count}" + (f", {rest} not measured" if rest else ""))
        text += [f"  - {row.name}: {words}" for row, words in misses]
    return "\n".join(text)

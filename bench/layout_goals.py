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

    def judge(self, row):
        """(reached, found in words); None where the way was not measured."""
        import gputime

        if self.other == "launches":
            return row.launches == self.times, f"{row.launches} launches"
        other = row.find(self.other)
        if other is None:
            return None
        times = gputime.percent(other, row.find("pixview")) / 100
        found = f"{100 * times:.1f} %" if self.other == "copy" else f"{times:.2f} x"
        return times >= self.times, found + self.floor(row)

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


def lines(rows):
    """A line for every goal, and one for every row that misses it."""
    found = {}
    for row in rows:
        for goal in row.goals:
            found.setdefault(goal.text, []).append((row, goal.judge(row)))
    text = []
    for goal, judged in found.items():
        measured = [(row, verdict) for row, verdict in judged if verdict is not None]
        misses = [(row, words) for row, (reached, words) in measured if not reached]
        word = "?   " if not measured else "MISS" if misses else "PASS"
        count = f"{len(measured) - len(misses)} of {len(measured)} rows"
        rest = len(judged) - len(measured)
        text.append(f"- {word}  {goal}: {count}" + (f", {rest} not measured" if rest else ""))
        text += [f"  - {row.name}: {words}" for row, words in misses]
    return "\n".join(text)

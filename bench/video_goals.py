# SPDX-License-Identifier: Apache-2.0
"""What video.py has to reach: shares of a copy by the GPU's time, factors by whole calls. How they become
lines: layout_goals.py."""

from layout_goals import Goal
from preprocess_goals import Whole


class OneLaunch(Goal):
    @property
    def text(self):
        return "one kernel launch for the list, as torch's profiler saw"


class Fastest(Whole):
    """A factor by whole calls, of the fastest way whose name begins with `other`."""

    @property
    def text(self):
        who = f"{self.other}'s fastest way" if self.other else "the fastest peer"
        return f"{self.about}at least {self.times:g} x as fast as {who}, whole calls"

    def fastest(self, row):
        ways = [way for way in row.ways if way.name not in ("copy", "pixview")]
        ways = [way for way in ways if way.name.startswith(self.other)]
        return min(ways, key=lambda way: way.whole, default=None)

    def times_of(self, row):
        import gputime

        return gputime.factor(self.fastest(row), row.find("pixview"))

    def judge(self, row):
        if self.fastest(row) is None:
            return None
        return self.times_of(row) >= self.times, self.found(row)

    def found(self, row):
        return f"{self.in_words(self.times_of(row))} {self.fastest(row).name}"


ONE_LAUNCH = OneLaunch("launches", 1)


def of_batch(what):
    """Of NV12 to floats, as large as it is."""
    return [Goal("copy", 0.9, what), Fastest("CV-CUDA", 3.5, what), Whole("torch", 15, what), ONE_LAUNCH]  # fmt: skip


def of_letterbox(what):
    return [Goal("copy", 0.85, what), Fastest("", 8, what), ONE_LAUNCH]


def of_back(what):
    return [Goal("copy", 0.85, what), ONE_LAUNCH]

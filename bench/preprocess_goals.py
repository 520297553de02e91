# SPDX-License-Identifier: Apache-2.0
"""What preprocess.py has to reach: shares of a copy by the GPU's time, factors by whole calls, and the
host's own part. How they become lines: layout_goals.py."""

import processes
from layout_goals import Goal

OWN_US, EACH_US = 5, 0.06  # of a call, above an empty launch: the call, and each image


class Whole(Goal):
    """A factor by whole calls."""

    @property
    def text(self):
        return f"{self.about}at least {self.times:g} x as fast as {self.other}, whole calls"

    def times_of(self, row):
        import gputime

        return gputime.factor(row.find(self.other), row.find("pixview"))

    def floor(self, row):
        return ""


class OwnPart(Goal):
    """The host's part of a call, less an empty launch."""

    @property
    def text(self):
        return f"own part on the host at most {OWN_US} us and {1e3 * EACH_US:g} ns an image"

    def allowed(self, row):
        return OWN_US + EACH_US * row.images

    def times_of(self, row):
        return self.allowed(row) / max(row.own / 1e3, 1e-3)

    def found(self, row):
        return f"{row.own / 1e3:.1f} of {self.allowed(row):.1f} us"

    def judge(self, row):
        if row.own is None:
            return None
        return row.own / 1e3 <= self.allowed(row), self.found(row)


ALWAYS = (Goal("launches", 1), OwnPart("host", 1))


def host_lines(found):
    """found: (what, the peer, how many times as fast ours is, the limit)"""
    return processes.goal_lines(
        [
            {"text": f"{what}: at least {limit:g} x as fast as {peer}" if limit != 1 else f"{what}: ahead of {peer}",
             "found": processes.Spread([times]), "limit": limit, "at_most": False, "unit": "x"}
            for what, peer, times, limit in found
        ]
    )  # fmt: skip

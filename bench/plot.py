# SPDX-License-Identifier: Apache-2.0
"""A picture of a table: how near each way comes to a plain copy. Needs matplotlib
(bench/requirements.txt); without it there is no picture, and the bench says so."""

import itertools
import sys
import textwrap

WIDTH, DPI = 10.9, 110  # inches; less than 1200 pixels
LABEL = 34  # characters of a line
TALL = 12  # inches that the bars may take
BAR, NUMBERED, GAP = 0.14, 0.1, 1.2  # inches of a bar, and of one with a number; bars between rows


def shares(path, rows, names, xlabel):
    """Bars of percent. rows: (label, {name: percent}); names: the ways, in the order of their bars. A row
    has no room for ways that it lacks."""
    try:
        from matplotlib import pyplot
    except ImportError:
        print(f"bench: no matplotlib, so no {path.name}: pip install -r bench/requirements.txt",
              file=sys.stderr)  # fmt: skip
        return False
    names = [name for name in names if any(name in found for _, found in rows)]
    counts = [sum(name in found for name in names) for _, found in rows]
    tops = [0, *itertools.accumulate(count + GAP for count in counts)]
    bar = min(BAR, TALL / tops[-1])
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.4 + bar * tops[-1]), layout="constrained")
    draw_bars(axes, rows, names, tops, numbered=bar > NUMBERED)
    axes.axvline(100, color="black", linewidth=0.8)
    labels = [fold(label) if bar > NUMBERED else label for label, _ in rows]
    middles = [top + count / 2 for top, count in zip(tops, counts, strict=False)]
    axes.set_yticks(middles, labels, fontsize=8)
    axes.set_ylim(tops[-1], -GAP)
    axes.set_xlabel(xlabel)
    figure.legend(loc="outside upper center", ncols=min(len(names), 5), fontsize=8)
    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)
    return True


def fold(label):
    """Not inside 640 x 640."""
    return textwrap.fill(label.replace(" x ", "\N{NO-BREAK SPACE}x\N{NO-BREAK SPACE}"), LABEL)


def draw_bars(axes, rows, names, tops, numbered):
    for i, name in enumerate(names):
        bars = []
        for top, (_, found) in zip(tops, rows, strict=False):
            if name in found:
                before = sum(other in found for other in names[:i])
                bars.append((top + before + 0.5, found[name]))
        ats, percents = zip(*bars, strict=True)
        drawn = axes.barh(ats, percents, 1, label=name, color=f"C{i}")
        if numbered:
            texts = [f"{share:.0f}" if share >= 9.95 else f"{share:.1f}" for share in percents]
            axes.bar_label(drawn, texts, padding=2, fontsize=6.5)

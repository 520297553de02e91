"""A picture of a table: how near each way comes to a plain copy. Needs matplotlib
(bench/requirements.txt); without it there is no picture, and the bench says so."""

import sys


def shares(path, rows, names, xlabel):
    """Bars of percent. rows: (label, {name: percent}); names: the ways, in the order of their bars."""
    try:
        from matplotlib import pyplot
    except ImportError:
        print(f"bench: no matplotlib, so no {path.name}: pip install -r bench/requirements.txt",
              file=sys.stderr)  # fmt: skip
        return False
    names = [name for name in names if any(name in found for _, found in rows)]
    figure, axes = pyplot.subplots(figsize=(11, 1.2 + 0.42 * len(rows)))
    height = 0.85 / len(names)
    for i, name in enumerate(names):
        bars = [(j, found[name]) for j, (_, found) in enumerate(rows) if name in found]
        axes.barh(
            [j + i * height for j, _ in bars], [share for _, share in bars], height, label=name
        )
    axes.axvline(100, color="black", linewidth=0.8)
    axes.set_yticks([j + 0.4 for j in range(len(rows))], [label for label, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(names), fontsize=8)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    return True

# SPDX-License-Identifier: Apache-2.0
"""The table of goals in bench/README.md, out of the results in bench/results.

python bench/goals.py        writes it anew
"""

import re
import sys

import machine

README = machine.ROOT / "bench" / "README.md"
BEGIN, END = "<!-- by goals.py -->", "<!-- to here -->"
GOAL = re.compile(r"^- (PASS|MISS|\?) +(.*): (.*)$", re.MULTILINE | re.IGNORECASE)
FACT = re.compile(r"^- ([^:]+): (.*)$", re.MULTILINE)
FACTS = ("date", "commit", "gpu", "gpus visible", "driver", "cv2", "processes")
BENCHES = (
    "overhead",
    "launch",
    "layout",
    "preprocess",
    "video",
    "host",
)  # in this order; others have no goals
TO_TORCH = "GpuMat -> torch (CHW), owned view"
TO_GPUMAT = "torch -> GpuMat, owned view"
ABOUT = {"layout": "layouts: ", "preprocess": "preprocessing: ", "video": "video: "}
CALLS = (  # of which the table has the nanoseconds too
    (TO_TORCH, "pixview.as_torch"),
    (TO_TORCH, "tensor.detach()"),
    (TO_TORCH, "usual: interface, as_tensor"),
    (TO_GPUMAT, "pixview.as_gpumat"),
    (TO_GPUMAT, "usual, of an H,W,C tensor"),
)
LINE = re.compile(r"^- (stack, .*, each image): (.*) ns$", re.MULTILINE)


def calls(text):
    """(call, ns) of overhead.py's table."""
    last = ""
    for line in text.splitlines():
        if not line.startswith("| "):
            continue
        call, way, ns, spread, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        last = call or last
        if (last, way) in CALLS:
            yield f"{last}: {way}", f"{ns} ({spread})" if " to " in spread else ns


class Result:
    def __init__(self, path):
        text = path.read_text()
        self.name = path.name
        self.bench = path.stem.split("-")[0]
        head = text.split("\n|")[0]
        self.facts = dict(FACT.findall(head))
        about = ABOUT.get(self.bench, "")
        self.goals = [
            (about + goal, f"{word.upper()}, {found}") for word, goal, found in GOAL.findall(text)
        ]
        self.times = [*(calls(text) if self.bench == "overhead" else ()), *LINE.findall(text)]

    @property
    def column(self):
        """Results of one OpenCV and one number of GPUs share a column; others have the first."""
        count = int(self.facts.get("gpus visible", 2 if "two-gpus" in self.name else 1))
        gpus = f"{machine.NUMBERS.get(count, count)} GPUs, " if count > 1 else ""
        return f"{gpus}OpenCV {self.facts['cv2']}" if "-cv" in self.name else None


def results(folder):
    found = [Result(path) for path in sorted(folder.glob("*.md"))]
    found = [r for r in found if r.bench in BENCHES and r.goals]
    found = [r for r in found if not re.search("-(host|fake|against)", r.name)]
    return sorted(found, key=lambda r: (BENCHES.index(r.bench), r.name))


def table(found, head, what):
    """A row for each of the pairs (name, value) that the results have under that attribute."""
    columns = sorted({r.column for r in found if r.column}, key=lambda c: ("GPU" in c, c)) or [""]
    rows = {}
    for result in found:
        for name, value in getattr(result, what):
            rows.setdefault(name, {})[result.column or columns[0]] = value
    lines = [f"| {head} | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(values.get(c, "") for c in columns) + " |")
    return "\n".join(lines)


def sources(found):
    lines = []
    for result in found:
        facts = [f"{key} {result.facts[key]}" for key in FACTS if key in result.facts]
        lines.append(f"- `{result.name}`: {', '.join(facts)}")
    return "\n".join(lines)


def written(readme, folder):
    """The README with the table of that folder's results."""
    found = results(folder)
    if not found:
        raise SystemExit(f"bench: no results with goals in {folder}")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    parts = [table(found, "goal", "goals"), table(found, "ns", "times"), sources(found)]
    return "\n\n".join([before + BEGIN, *parts, END + after])


def main():
    README.write_text(written(README.read_text(), machine.RESULTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())

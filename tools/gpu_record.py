# SPDX-License-Identifier: Apache-2.0
"""Runs what needs a GPU and writes down what came of it, for the commit that is checked out.

usage: gpu_record.py [PIECE | STEP | write] ...     nothing: every piece; write: only the record

A piece ends within $LIMIT seconds (560); its steps that can share the GPU run two at a time. Each leaves
its result in build/gpu-record/COMMIT/STEP.json and its output in STEP.log beside it; tests/gpu/record.md
(or $RECORD) is written from all results that are there, so the pieces may run on different days.
$PIXVIEW_COMMIT says the commit where the checkout came without git. `make gpu-record` builds first.
"""

import concurrent.futures
import datetime
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import machine  # noqa: E402  (it imports nothing but the standard library at its top)

PY = os.environ.setdefault("PY", sys.executable)
COMMIT = machine.commit().replace(" with ", "+")
FOLDER = ROOT / "build" / "gpu-record" / COMMIT
RECORD = pathlib.Path(os.environ.get("RECORD") or ROOT / "tests" / "gpu" / "record.md")
PROGRAMS = "build/gpu/tests/c/"
LIMIT = float(os.environ.get("LIMIT") or 560)
NOT_RUN = 77  # a program's own word for: no GPU here, or nothing to run with
NO_TESTS = 5  # pytest's: every module was skipped
# A queue for each stream of the stress; a tenth of what `make soak` does, so that it fits.
ENVIRONMENT = {"CUDA_DEVICE_MAX_CONNECTIONS": "32", "SOAK_COUNT": "1000000"}


class Step:
    def __init__(self, name, command, *, opencv="", alone=False, cwd=".", env=None):
        self.name, self.command, self.opencv, self.alone = name, command, opencv, alone
        self.cwd, self.env = cwd, env or {}
        self.file = re.sub(r"[^\w.-]+", "-", name)


@functools.cache
def opencv_folders():
    """Those in build/opencv; without one OpenCV the tests say themselves that they are not run."""
    done = subprocess.run(["tools/opencv.sh", "cuda"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return done.stdout.split() or [""]


def compute_sanitizer():
    beside = shutil.which("nvcc") or ""
    for path in (
        shutil.which("compute-sanitizer"),
        os.path.join(os.path.dirname(os.path.realpath(beside)), "compute-sanitizer"),
        "/usr/local/cuda/bin/compute-sanitizer",
    ):
        if path and os.access(path, os.X_OK):
            return path
    return None


def sanitized(tool):
    path = compute_sanitizer()
    command = [path, "--tool", tool, "--error-exitcode", "9", PROGRAMS + "kcheck", "--small"]
    return Step(f"kcheck, {tool}", command if path else None)


def script(name, path, *arguments, **keywords):
    """A script of the tests, with their folder as the current one: a package's or a lone file."""
    module = path.removesuffix(".py").replace("/", ".")
    found = (ROOT / "tests" / path).exists()
    command = [PY, "-m", module, *arguments] if found else None
    return Step(name, command, cwd="tests", env=ENVIRONMENT, **keywords)


def pieces():
    folders = opencv_folders()
    last = folders[-1]

    def tests(folder, marked):
        name = f"tests/gpu, {marked}, OpenCV {pathlib.Path(folder).name or 'none'}"
        command = [PY, "-m", "pytest", "tests/gpu", "-m", marked, "-p", "no:cacheprovider"]
        return Step(name, command, opencv=folder, alone=marked == "alone")

    return {
        "tests": [
            Step("C tests, test_gpu", [PROGRAMS + "test_gpu"]),
            Step("C tests, example_gpu", [PROGRAMS + "example_gpu"]),
            *(tests(folder, "not alone") for folder in folders),
        ],
        "alone": [tests(folder, "alone") for folder in folders],
        "kernels": [
            Step("kcheck", [PROGRAMS + "kcheck"]),
            sanitized("memcheck"),
            sanitized("racecheck"),
        ],
        "stress": [
            script("stress, 1000 of each", "gpu/stress.py", "1000", opencv=last, alone=True),
            script("stress, random graphs", "gpu/stress_random.py", "--seconds=120", opencv=last),
            script("soak, conversions", "soak/conversions.py", opencv=last, alone=True),
            script("soak, threads", "soak/threads.py", opencv=last),
            script("soak, frames of a pool", "soak/frames.py", "--device=cuda", opencv=last),
        ],
    }


# ---- one step ----


def counted(word, text):
    return sum(int(n) for n in re.findall(rf"(\d+) {word}", text))


def counts(step, output):
    """(passed, failed, skipped), as the program itself says it."""
    last = output.strip().rpartition("\n")[2]
    if "pytest" in step.command:
        failed = counted("failed", last) + counted("errors?", last)
        return counted("passed", last), failed, counted("skipped", last)
    if found := re.search(r"^(\d+) jobs, (\d+) differ", output, re.MULTILINE):
        return int(found[1]) - int(found[2]), int(found[2]), 0
    if rounds := re.findall(r"(\d+) of (\d+) (?:right|directions are flat)", output):
        right = sum(int(n) for n, _ in rounds)
        return right, sum(int(n) for _, n in rounds) - right, 0
    if found := re.search(r"(\d+) reads?, all right", output):
        return int(found[1]), 0, 0
    return None


def says(output):
    """The one line that a reader wants."""
    sanitizer = re.findall(r"^=+ ((?:ERROR|RACECHECK) SUMMARY: .*)", output, re.MULTILINE)
    lines = sanitizer[-1:] or output.strip().splitlines()[-1:]
    return lines[0].strip("= ") if lines else ""


def is_here(step):
    program = next((word for word in step.command or () if word.startswith(PROGRAMS)), None)
    return step.command and (not program or (ROOT / program).exists())


def run_command(step, seconds):
    """Its exit status, or None if it ran out of time, with whatever it had started."""
    shell = ". tools/lib.sh; cd_to=$1; shift; opencv=$1; shift; "
    shell += 'with_opencv "$opencv" sh -c \'cd "$0" && exec "$@"\' "$cd_to" "$@"'
    environment = dict(os.environ, **step.env)
    with open(FOLDER / f"{step.file}.log", "w") as log:
        process = subprocess.Popen(
            ["sh", "-c", shell, "sh", step.cwd, step.opencv, *step.command],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None


def verdict(status, found):
    if status is None:
        return "ran out of time"
    if status == NOT_RUN or status in (0, NO_TESTS) and found and not found[0] and not found[1]:
        return "skipped"
    return "failed" if status or found and found[1] else "passed"


def run(step, deadline):
    """False if it failed. Whoever starts late has what is left of the time."""
    if not is_here(step):
        print(f"gpu-record: {step.name}: not run, it is not here", flush=True)
        return True
    start = time.monotonic()
    status = run_command(step, deadline - start)
    output = (FOLDER / f"{step.file}.log").read_text(errors="replace")
    found = counts(step, output)
    result = {
        "step": step.name,
        "date": datetime.date.today().isoformat(),
        "result": verdict(status, found),
        "counts": found,
        "seconds": round(time.monotonic() - start, 1),
        "says": says(output),
        "machine": facts(step.opencv),
    }
    (FOLDER / f"{step.file}.json").write_text(json.dumps(result, indent=1))
    bad = result["result"] in ("failed", "ran out of time")
    if bad:
        print("\n".join(output.splitlines()[-60:]))
    print(f"gpu-record: {step.name}: {result['result']}, {result['says']}", flush=True)
    return not bad


def run_all(steps):
    deadline = time.monotonic() + LIMIT
    if any(PROGRAMS in " ".join(step.command or ()) for step in steps):
        subprocess.run(["tools/test.sh", "gpu-programs"], cwd=ROOT, check=False)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        shared = [pool.submit(run, step, deadline) for step in steps if not step.alone]
        good = [future.result() for future in shared]
    return all(good + [run(step, deadline) for step in steps if step.alone])


# ---- the record ----


@functools.cache
def facts(opencv):
    """Of the machine, asked in a process of its own: the libraries belong to that OpenCV."""
    code = "import json, sys; sys.path.insert(0, 'bench'); import machine; print(json.dumps(machine.describe(True)))"
    shell = '. tools/lib.sh; with_opencv "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", opencv, PY, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout) if done.returncode == 0 else {"driver": machine.driver()}
    nvcc = re.search(r"release ([\d.]+)", machine.output("nvcc", "--version") or "")
    found["nvcc"] = nvcc[1] if nvcc else "none"
    return {key: str(value) for key, value in found.items() if key != "commit"}


def row(name, result):
    if not result:
        return f"| {name} | **not run** | | | | | |"
    found = result["counts"] or ("", "", "")
    cells = [name, result["result"], *found, round(result["seconds"]), result["says"]]
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def write():
    results = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    by_name = {result["step"]: result for result in results}
    seen = {}
    for result in results:
        for key, value in (*result["machine"].items(), ("date", result["date"])):
            seen.setdefault(key, set()).add(value)
    text = machine.heading(
        "What ran on a GPU",
        {"commit": COMMIT} | {key: ", ".join(sorted(values)) for key, values in seen.items()},
    )
    text += "\n\nWritten by `make gpu-record`; a step that was not run says so.\n\n"
    text += "| step | result | passed | failed | skipped | seconds | its last word |\n"
    text += "| --- | --- | ---: | ---: | ---: | ---: | --- |\n"
    names = [step.name for steps in pieces().values() for step in steps]
    names += [name for name in by_name if name not in names]
    if any("OpenCV cuda" in name for name in names):  # read here, run where there is one
        names = [name for name in names if not name.endswith("OpenCV none")]
    text += "\n".join(row(name, by_name.get(name)) for name in names) + "\n"
    RECORD.write_text(text)
    print(f"gpu-record: wrote {RECORD}", flush=True)


def chosen(names):
    every = pieces()
    steps = {step.file: step for steps in every.values() for step in steps}
    for name in names or every:
        if name in every:
            yield every[name]
        elif name in steps:
            yield [steps[name]]
        elif name != "write":
            sys.exit(f"gpu_record.py {name}: must be write, {', '.join([*every, *steps])}")


def main(names):
    FOLDER.mkdir(parents=True, exist_ok=True)
    good = [run_all(steps) for steps in list(chosen(names))]
    write()
    return not all(good)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))

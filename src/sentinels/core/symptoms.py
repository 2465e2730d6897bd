"""What programs of this trade say when they die, and what their exit codes mean: data.

An exit code of 1 is a missing module, a full GPU or a wrong path; the last lines tell them apart.
Comes in: lines. Goes out: the line that says most, and what it means for whoever pushed the job.
Before: ``advice``, ``wording``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sentinels.core.text import printable

_WORD = 120
"""Characters of a word that is taken from a line."""
_NEAR_THE_END = 40
"""Lines among which a symptom is looked for where Python told of no error."""
_TRACEBACK = "Traceback (most recent call last):"
_WRAPPERS = ("ChildFailedError", "RayTaskError", "CalledProcessError")
"""Errors that only say that another process had one."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """Words in a program's last lines, and what they mean; ``{1}`` stands for a group of them."""

    pattern: re.Pattern[str]
    means: str
    without_gpu: str = ""
    """What it means for a job that asked for no GPU."""


def _symptom(pattern: str, means: str, *, without_gpu: str = "") -> Symptom:
    return Symptom(re.compile(pattern), means, without_gpu)


SYMPTOMS: tuple[Symptom, ...] = (
    # The GPU's own memory. PyTorch, JAX, TensorFlow, CUDA's own libraries.
    _symptom(
        r"CUDA out of memory|CUDA error: out of memory|OutOfMemoryError: (?:CUDA|HIP)"
        r"|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED"
        r"|OOM when allocating tensor .*GPU|RESOURCE_EXHAUSTED: Out of memory (?:while|allocating)",
        "The memory of its GPU ran out, not the machine's: more --memory does not help. "
        "Use smaller batches, or GPUs with more memory (--gpu-type).",
    ),
    # Data loaders hand tensors over through /dev/shm.
    _symptom(
        r"out of shared memory|killed by signal: Bus error"
        r"|unable to (?:open|allocate) shared memory|/dev/shm.*No space left",
        "Its shared memory (/dev/shm) ran out, which is half of the memory that it asks for: "
        "ask for more --memory, or use fewer data loader workers.",
    ),
    _symptom(
        r"DataLoader worker .{0,60}is killed by signal: Killed|exited unexpectedly.*Killed",
        "One of its own processes was killed, most likely for its memory: ask for more --memory, "
        "or use fewer data loader workers.",
    ),
    _symptom(
        r"MemoryError|Unable to allocate .* for an array|std::bad_alloc|Cannot allocate memory",
        "It was refused more memory by its machine: ask for more --memory, or let it load less at "
        "a time.",
    ),
    _symptom(
        r"No CUDA GPUs are available|no CUDA-capable device|Found no NVIDIA driver"
        r"|Torch not compiled with CUDA|CUDA_ERROR_NO_DEVICE|No visible GPU|CUDA unknown error",
        "It saw no GPU that it can use, although it asked for some: see whether its image has "
        "CUDA, and a version that the node's driver knows.",
        without_gpu="It looked for a GPU and had asked for none: push it with --gpu 1.",
    ),
    _symptom(
        r"CUDA driver version is insufficient|no kernel image is available for execution"
        r"|forward compatibility was attempted",
        "The CUDA of its image does not fit the GPU or its driver: use an image for that kind of "
        "GPU, or choose another (--gpu-type).",
    ),
    # What is not in the image.
    _symptom(
        r"ModuleNotFoundError: No module named '([^']+)'",
        "Python found no module {1}: add it to the image, or correct the import.",
    ),
    _symptom(
        r"ImportError: (\S+\.so\S*): cannot open shared object",
        "The library {1} is missing in the image: add the package that has it.",
    ),
    _symptom(
        r"exec format error",
        "Its program is built for another kind of processor: build the image for the nodes' own.",
    ),
    # What it may not do or did not find.
    _symptom(
        r"No space left on device|Disk quota exceeded",
        "There was no room left to write: remove what it does not need as it goes, and keep large "
        "data out of $SENTINELS_OUTPUT.",
    ),
    _symptom(
        r"Read-only file system: '?([^'\n]*)",
        "It wrote where it may only read: let it write to $SENTINELS_OUTPUT or /tmp.",
    ),
    _symptom(
        r"PermissionError: \[Errno 13\] Permission denied: '([^']+)'",
        "It may not touch {1}: let it write to $SENTINELS_OUTPUT or /tmp, and read below "
        "$SENTINELS_DATA.",
    ),
    _symptom(
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '([^']+)'",
        "{1} is not there: shared data are below $SENTINELS_DATA and are named under data: in the "
        "config.",
    ),
    _symptom(
        r"Temporary failure in name resolution|Name or service not known|Could not resolve host"
        r"|Network is unreachable|NewConnectionError|Max retries exceeded with url",
        "It could not reach another machine: a team's jobs reach only what an operator lists "
        "(sentinels team add --egress).",
    ),
    _symptom(
        r"error: (?:unrecognized arguments|the following arguments are required)(.*)",
        "Its program does not take the arguments that it was given: compare args and params in the "
        "config with what it reads.",
    ),
    _symptom(
        r"SyntaxError: |IndentationError: ",
        "Its code is no Python that this image's version reads: run it there once, or push again.",
    ),
)
"""What programs say when they die. The first that fits the last lines is believed."""

EXIT_CODES: Mapping[int, str] = {
    126: "Its command was found and cannot be run: make it executable, or name its interpreter "
    "(command: [python, train.py]).",
    127: "Its command is not in the image: correct command in the config, or the image.",
    132: "It used instructions that the node's processor does not have: build it for the nodes' "
    "own.",
    134: "It gave up by itself (abort): its last lines say at what.",
    135: "It touched memory that was not there (a bus error), as programs do when /dev/shm is "
    "full: ask for more --memory.",
    136: "It computed what no number is for in C code (a floating point exception).",
    139: "It crashed in compiled code (a segmentation fault): often two packages that do not fit "
    "together; run it once with python -X faulthandler.",
    143: "Something outside Sentinels told it to end (SIGTERM).",
}
"""What exit codes mean by themselves."""

SIGNALS: Mapping[int, str] = {
    130: "SIGINT",
    132: "SIGILL",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
}


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that Python told of by itself: where its traceback begins, the place in the code
    where it was raised, and the error.
    """

    begin: int
    lines: tuple[str, ...]


def symptom_in(texts: Sequence[str], *, asked_gpus: int) -> tuple[int, str] | None:
    """The place of the last line that shows a symptom, and what that means. What was printed before
    the error that ended it does not count: it went on after that.
    """
    error = raised_in(texts)
    begin = error.begin if error else max(0, len(texts) - _NEAR_THE_END)
    for place in range(len(texts) - 1, begin - 1, -1):
        for symptom in SYMPTOMS:
            found = symptom.pattern.search(texts[place])
            if found is not None:
                return place, _meaning(symptom, found, asked_gpus)
    return None


def raised_in(texts: Sequence[str]) -> Raised | None:
    """The last error that Python told of, or the one behind it that it only passes on."""
    last: Raised | None = None
    for begin, text in enumerate(texts):
        if text.endswith(_TRACEBACK):
            lines = _raised_after(texts, begin)
            if lines and not (last and any(word in lines[-1] for word in _WRAPPERS)):
                last = Raised(begin, lines)
    return last


def _raised_after(texts: Sequence[str], begin: int) -> tuple[str, ...]:
    """The last frame's place and the line after the frames; each may have a prefix, as torchrun's
    ranks have.
    """
    prefix, frame = texts[begin].removesuffix(_TRACEBACK), ""
    for text in texts[begin + 1 :]:
        line = text.removeprefix(prefix)
        if not line.startswith(" "):
            return tuple(each for each in (frame, line.strip()) if each)
        if line.lstrip().startswith("File "):
            frame = line.strip()
    return ()


def _meaning(symptom: Symptom, found: re.Match[str], asked_gpus: int) -> str:
    if symptom.without_gpu and not asked_gpus:
        return symptom.without_gpu
    word = found.group(1) if found.re.groups else ""
    return symptom.means.replace("{1}", printable(word[:_WORD]))

"""What varies between jobs: the keys ``params`` and ``sweep``.

Before: ``submission_reading``. Next: ``sampling``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence

from sentinels.core.faults import Faults, joined
from sentinels.core.program_reading import check_size
from sentinels.core.sampling import combinations
from sentinels.core.submission import ParamValue, Span, Values

MAX_SWEEP = 1000
_COUNTABLE = 10**6
_MOST = 100
_LONGEST_VALUE = 6000
"""As much as MLflow keeps of a parameter."""
_LARGEST = 2**64
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}", re.ASCII)

_Params = Mapping[str, ParamValue]
_Sweep = Mapping[str, Values]


def read_params(faults: Faults, value: object) -> dict[str, ParamValue]:
    """The parameters that every job of the push has."""
    found: dict[str, ParamValue] = {}
    for name, content in faults.mapping("params", value).items():
        path = joined("params", name)
        sound = _read_value(faults, path, content)
        if _is_name(faults, path, name) and sound:
            found[name] = sound[0]
    return found


def read_sweep(faults: Faults, value: object) -> dict[str, Values]:
    """The parameters that vary, each with its values or the numbers to draw from."""
    found: dict[str, Values] = {}
    for name, values in faults.mapping("sweep", value).items():
        path = joined("sweep", name)
        read = (
            _read_span(faults, path, values)
            if isinstance(values, dict)
            else _read_list(faults, path, values)
        )
        if _is_name(faults, path, name) and read is not None:
            found[name] = read
    return found


def read_samples(faults: Faults, value: object) -> int | None:
    """How many jobs a random sweep has."""
    return faults.whole("samples", value, low=1, high=MAX_SWEEP)


def read_seed(faults: Faults, value: object) -> int | None:
    """Which samples are drawn."""
    return faults.whole("seed", value, low=0, high=_LARGEST)


def read_at_once(faults: Faults, value: object) -> int | None:
    """How many of a sweep's jobs run at a time."""
    return faults.whole("at_once", value, low=1, high=MAX_SWEEP)


def _read_list(faults: Faults, path: str, values: object) -> tuple[ParamValue, ...]:
    items = faults.sequence(path, values, most=MAX_SWEEP)
    if values is None or values == []:
        faults.add(path, "must be a list with at least one value")
    read = [_read_value(faults, f"{path}[{at}]", item) for at, item in enumerate(items)]
    return tuple(each for one in read for each in one)


def _read_span(faults: Faults, path: str, value: object) -> Span | None:
    """Read ``{min: 1e-5, max: 1e-1, scale: log}``."""
    given = faults.mapping(path, value)
    known = ("min", "max", "scale")
    faults.unknown_keys(path, given, known, elsewhere={"low": "min", "high": "max"})
    low, high = (_bound(faults, joined(path, key), given.get(key)) for key in ("min", "max"))
    scale = given.get("scale", "linear")
    if scale not in ("linear", "log"):
        faults.add(joined(path, "scale"), "must be linear or log", value=scale)
    if low is None or high is None:
        return None
    if low >= high:
        faults.add(path, "must have a min below its max", value=f"{low}..{high}")
    elif scale == "log" and low <= 0:
        faults.add(joined(path, "min"), "must be above 0 on a log scale", value=low)
    return Span(low, high, is_log=scale == "log")


def _bound(faults: Faults, path: str, value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(path, "must be a number", value=value)
        return None
    return value if _read_number(faults, path, value) else None


def check_sweep(faults: Faults, sweep: _Sweep, samples: int | None, given: Collection[str]) -> None:
    """What can only be seen with the whole: how many jobs it makes, and what goes with what."""
    if any(re.match(r"(sweep|samples)\b", fault.field) for fault in faults.found):
        return
    if sweep:
        _check_samples(faults, sweep, samples)
    for key in ("samples", "at_once"):
        if key in given and not sweep:
            faults.add(key, "needs a sweep", remedy="as in sweep: {lr: {min: 0.001, max: 0.1}}")
    if "seed" in given and samples is None:
        remedy = "it says which samples are drawn; what the program is to be given goes to params"
        faults.add("seed", "needs samples", remedy=remedy)


def _check_samples(faults: Faults, sweep: _Sweep, samples: int | None) -> None:
    if samples is not None:
        if samples > combinations(sweep):
            message = f"is more than the sweep's {combinations(sweep):.0f} combinations"
            faults.add("samples", message, value=samples, remedy="leave it out to run them all")
        return
    for name, values in sweep.items():
        if isinstance(values, Span):
            message = "is a range, and there is no number of samples"
            faults.add(joined("sweep", name), message, remedy="add samples: 20")
    _check_count(faults, [each for each in sweep.values() if not isinstance(each, Span)])


def _check_count(faults: Faults, lists: Sequence[tuple[ParamValue, ...]]) -> None:
    jobs = math.prod(map(len, lists))
    if jobs > MAX_SWEEP:
        count = jobs if jobs < _COUNTABLE else f"more than {_COUNTABLE}"
        remedy = "draw some of them with samples"
        message = f"makes {count} jobs; {MAX_SWEEP} are allowed in one push"
        faults.add("sweep", message, remedy=remedy)


def check_params(faults: Faults, params: _Params, sweep: _Sweep) -> None:
    """What can only be seen with both: doubles, and what one job would be given in all."""
    for name in sweep.keys() & params.keys():
        faults.add(joined("sweep", name), "is in params too", remedy="keep it in one of them")
    names = [*params, *sweep]
    if len(names) > _MOST:
        faults.add("params", f"has {len(names)} parameters; {_MOST} are allowed")
    _check_variables(faults, params, sweep)
    longest = (
        max(map(json.dumps, _ends(values)), key=len, default="") for values in sweep.values()
    )
    check_size(faults, "params", [*names, *map(json.dumps, params.values()), *longest])


def _ends(values: Values) -> tuple[ParamValue, ...]:
    """Those among which is the longest."""
    return (1e-300 / 7,) if isinstance(values, Span) else values


def param_variable(name: str) -> str:
    """The environment variable that hands a parameter to the program."""
    return "SENTINELS_PARAM_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def _check_variables(faults: Faults, params: _Params, sweep: _Sweep) -> None:
    seen: dict[str, str] = {}
    paths = {**{name: "params" for name in params}, **{name: "sweep" for name in sweep}}
    for name, above in paths.items():
        variable = param_variable(name)
        first = seen.setdefault(variable, name)
        if first != name:
            message = f"would be {variable}, as {first} is"
            faults.add(joined(above, name), message, remedy="rename one of them")


def _is_name(faults: Faults, path: str, name: str) -> bool:
    if _NAME.fullmatch(name):
        return True
    message = "is no parameter name: up to 100 letters, digits, '_', '.' and '-', first a letter"
    faults.add(path, message, value=name)
    return False


def _read_value(faults: Faults, path: str, value: object) -> tuple[ParamValue, ...]:
    """The value in a tuple, or none."""
    if value is None or isinstance(value, bool):
        return (value,)
    if isinstance(value, int | float):
        return _read_number(faults, path, value)
    if not isinstance(value, str):
        faults.add(path, "must be text, a number, true, false or null", value=value)
        return ()
    text = faults.text(path, value, limit=_LONGEST_VALUE)
    return () if text is None else (text,)


def _read_number(faults: Faults, path: str, value: float) -> tuple[ParamValue, ...]:
    if not math.isfinite(value):
        faults.add(path, "must be a finite number", value=str(value))
        return ()
    if isinstance(value, int) and abs(value) > _LARGEST:
        faults.add(path, "is a larger whole number than 2**64", value=value, remedy="quote it")
        return ()
    return (value,)

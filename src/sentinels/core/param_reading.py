"""What varies between jobs: the keys ``params`` and ``sweep``.

Before: ``submission_reading``. Next: ``submission_reading.expand_sweep``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from sentinels.core.faults import Faults, joined
from sentinels.core.program_reading import check_size
from sentinels.core.submission import ParamValue

MAX_SWEEP = 1000
_COUNTABLE = 10**6
_MOST = 100
_LONGEST_VALUE = 6000
"""As much as MLflow keeps of a parameter."""
_LARGEST = 2**64
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}", re.ASCII)

_Params = Mapping[str, ParamValue]
_Sweep = Mapping[str, tuple[ParamValue, ...]]


def read_params(faults: Faults, value: object) -> dict[str, ParamValue]:
    """The parameters that every job of the push has."""
    found: dict[str, ParamValue] = {}
    for name, content in faults.mapping("params", value).items():
        path = joined("params", name)
        sound = _read_value(faults, path, content)
        if _is_name(faults, path, name) and sound:
            found[name] = sound[0]
    return found


def read_sweep(faults: Faults, value: object) -> dict[str, tuple[ParamValue, ...]]:
    """The parameters that vary, each with its values."""
    found: dict[str, tuple[ParamValue, ...]] = {}
    for name, values in faults.mapping("sweep", value).items():
        path = joined("sweep", name)
        items = faults.sequence(path, values, most=MAX_SWEEP)
        if values is None or values == []:
            faults.add(path, "must be a list with at least one value")
        read = [_read_value(faults, f"{path}[{at}]", item) for at, item in enumerate(items)]
        if _is_name(faults, path, name):
            found[name] = tuple(each for one in read for each in one)
    jobs = math.prod(len(values) for values in found.values())
    if jobs > MAX_SWEEP:
        count = jobs if jobs < _COUNTABLE else f"more than {_COUNTABLE}"
        faults.add("sweep", f"makes {count} jobs; {MAX_SWEEP} are allowed in one push")
    return found


def check_params(faults: Faults, params: _Params, sweep: _Sweep) -> None:
    """What can only be seen with both: doubles, and what one job would be given in all."""
    for name in sweep.keys() & params.keys():
        faults.add(joined("sweep", name), "is in params too", remedy="keep it in one of them")
    names = [*params, *sweep]
    if len(names) > _MOST:
        faults.add("params", f"has {len(names)} parameters; {_MOST} are allowed")
    _check_variables(faults, params, sweep)
    longest = (max(map(json.dumps, values), key=len, default="") for values in sweep.values())
    check_size(faults, "params", [*names, *map(json.dumps, params.values()), *longest])


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

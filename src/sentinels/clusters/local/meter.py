"""What workloads of this machine used over time: ``core.meter.Meter`` over the runner's samples.

Comes in: an attempt. Goes out: the samples of its folder, and the peaks of its exit record. Before:
``functions/submit/usage``, ``core/metering``. Next: ``samples``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sentinels.clusters.local.folders import Layout, read_record
from sentinels.clusters.local.observe import usage_of
from sentinels.clusters.local.samples import read_points
from sentinels.core.errors import MeterUnavailable
from sentinels.core.meter import Quantity, Sample, Series
from sentinels.core.observation import Usage
from sentinels.core.series import summary, thinned, within
from sentinels.core.workload import WorkloadRef

_SHARED = "jobs share this machine's network: nothing tells whose traffic is whose"


class LocalMeter:
    """The runner looks; this reads what it saw."""

    name = "this machine"
    late_seconds = 0.0
    unmeasured: Mapping[Quantity, str] = {
        Quantity.RECEIVED_BYTES: _SHARED,
        Quantity.SENT_BYTES: _SHARED,
    }

    def __init__(self, home: Path) -> None:
        """``home`` is the one-machine mode's data folder."""
        self._layout = Layout(home)

    def series(self, ref: WorkloadRef, *, begin: datetime, end: datetime, points: int) -> Series:
        """See ``Meter.series``."""
        return thinned(self._samples(ref, begin, end), points)

    def usage(self, ref: WorkloadRef, *, begin: datetime, end: datetime) -> Usage:
        """See ``Meter.usage``: an ended one's record knows better than samples do."""
        try:
            ended = read_record(self._layout.folder(ref.name).exit)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from error
        return usage_of(ended) if ended else _peaks(self._samples(ref, begin, end))

    def gpu_percent(
        self, refs: Sequence[WorkloadRef], *, begin: datetime, end: datetime
    ) -> Mapping[WorkloadRef, float]:
        """See ``Meter.gpu_percent``."""
        found = {
            ref: summary(self._samples(ref, begin, end).get(Quantity.GPU_PERCENT, ()))
            for ref in refs
        }
        return {ref: told.mean for ref, told in found.items() if told is not None}

    def _samples(self, ref: WorkloadRef, begin: datetime, end: datetime) -> Series:
        try:
            read = read_points(self._layout.folder(ref.name).usage)
        except OSError as error:
            raise _unreadable(error) from error
        if read is None:
            return {}
        began, points = read
        found = {
            quantity: [
                Sample(began + timedelta(seconds=point["seconds"]), point[quantity.value])
                for point in points
                if quantity.value in point
            ]
            for quantity in Quantity
        }
        chosen = {quantity: within(samples, begin, end) for quantity, samples in found.items()}
        return {quantity: samples for quantity, samples in chosen.items() if samples}


def _peaks(series: Series) -> Usage:
    """What the samples so far tell."""
    peak = {quantity: told.peak for quantity in series if (told := summary(series[quantity]))}
    memory, gpu_memory = peak.get(Quantity.MEMORY_BYTES), peak.get(Quantity.GPU_MEMORY_BYTES)
    gpu = summary(series.get(Quantity.GPU_PERCENT, ()))
    return Usage(
        peak_memory_bytes=None if memory is None else int(memory),
        peak_gpu_memory_bytes=None if gpu_memory is None else int(gpu_memory),
        mean_gpu_percent=None if gpu is None else round(gpu.mean, 1),
        peak_cpu_cores=peak.get(Quantity.CPU_CORES),
    )


def _unreadable(error: Exception) -> MeterUnavailable:
    return MeterUnavailable(f"the data folder cannot be read: {error}")

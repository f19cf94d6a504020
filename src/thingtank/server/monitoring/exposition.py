"""Numbers in Prometheus' text format or OpenMetrics, as who asks prefers.

Imported by the first scrape: a server that nobody watches need not load the library.
"""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from thingtank.server.monitoring.families import FAMILIES, Family
from thingtank.server.monitoring.sample import Sample
from thingtank.stores.histogram import Histogram

_KINDS: dict[str, Callable[..., Metric]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "info": lambda name, meaning, labels: InfoMetricFamily(name, meaning),
}


def exposition(samples: Sequence[Sample], accept: str) -> tuple[bytes, str]:
    """All samples, and the process's own numbers.

    Args:
        accept: the request's header; blank for the text format.

    Returns:
        The body, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PROCESS_COLLECTOR)
    registry.register(GC_COLLECTOR)
    registry.register(_Taken(samples))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Taken(Collector):
    """Samples that were taken before: the library asks from its own code, which cannot wait."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        by_family: dict[str, list[Sample]] = {}
        for sample in self._samples:
            by_family.setdefault(sample.family, []).append(sample)
        for name, samples in by_family.items():
            yield _metric(FAMILIES[name], samples)


def _metric(family: Family, samples: Sequence[Sample]) -> Metric:
    metric = _KINDS[family.kind](family.name, family.meaning, labels=list(family.labels))
    for sample in samples:
        labels = [sample.labels[name] for name in family.labels]
        match metric:
            case InfoMetricFamily():
                metric.add_metric([], dict(sample.labels))
            case HistogramMetricFamily():
                assert isinstance(sample.value, Histogram), "as its family says"
                metric.add_metric(labels, sample.value.buckets(), sample.value.total_s)
            case CounterMetricFamily() | GaugeMetricFamily():
                assert not isinstance(sample.value, Histogram), "as its family says"
                metric.add_metric(labels, sample.value)
    return metric

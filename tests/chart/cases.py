"""The matrix: ways to install the chart, such that every two choices meet in one of them.

Comes in: axes of choices, a table. Goes out: some twenty cases. Next: ``conftest``, a test each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

# What a person has already: references to it lead out of the release.
YOURS = "your-"
# What a person keeps secret: must be found in Secrets and nowhere else.
MARK = "m4rk3d"
OUTSIDE = "example.test"

_EVERY_TEAM_FIELD = {
    "name": "vision",
    "users": ["ada", "grace"],
    "weight": 3,
    "cpu": "64",
    "memory": "256Gi",
    "gpus": 8,
    "pods": 200,
    "jobCpu": "16",
    "jobMemory": "64Gi",
    "podSecurity": "baseline",
    "egress": ["10.0.0.0/8"],
}
_POLICY = {
    "classes": {"night": 5, "normal": 20, "urgent": 40},
    "rules": [{"labels": {"ticket": None, "kind": "prod-*"}, "priority": "urgent"}],
    "teams": {"vision": {"weight": 1.5, "quota": {"memory": "1Ti", "gpu_hours": 2_000_000}}},
    "ageing": {"every": "3h", "at_most": 0},
    "share": {"half_life": 0},
}
_EXTERNAL_DATABASE = {
    "url": f"postgresql://sentinels:{MARK}1@db.{OUTSIDE}:5432/sentinels",
    "mlflowUrl": f"postgresql+psycopg2://mlflow:{MARK}2@db.{OUTSIDE}:5432/mlflow",
    "reportUrl": f"postgresql://report:{MARK}5@db.{OUTSIDE}:5432/sentinels",
}

# Each axis: what it is about, and the values of each of its choices. The first is the default.
AXES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "runtime": {
        "knative": {},
        "knative-there": {
            "knative": {
                "install": {"enabled": False},
                "domain": f"sentinels.{OUTSIDE}",
                "brokerClass": "Kafka",
            }
        },
        "knative-mirrored": {
            "knative": {"install": {"configMaps": [f"{YOURS}knative", f"{YOURS}kourier"]}}
        },
        "deployment": {"functions": {"runtime": "deployment"}},
        "ingress": {
            "functions": {"runtime": "deployment", "submit": {"replicas": 2}},
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "host": f"sentinels.{OUTSIDE}",
                "tlsSecret": f"{YOURS}certificate",
                "annotations": {"example.test/note": "yes"},
            },
        },
        "node-port": {
            "functions": {
                "runtime": "deployment",
                "service": {
                    "type": "NodePort",
                    "port": 8080,
                    "nodePort": 30080,
                    "annotations": {"example.test/note": "yes"},
                },
            }
        },
    },
    "database": {
        "own": {},
        "without-backup": {"postgresql": {"backup": {"enabled": False}}},
        "written-out": {"postgresql": {"enabled": False, "external": _EXTERNAL_DATABASE}},
        "secret": {
            "postgresql": {"enabled": False, "external": {"existingSecret": f"{YOURS}database"}}
        },
    },
    "mlflow": {
        "own": {},
        "public": {
            "mlflow": {
                "publicUrl": f"https://mlflow.{OUTSIDE}:8443",
                "artifacts": "s3://bucket/path",
                "envFromSecret": f"{YOURS}bucket",
            }
        },
        "external": {
            "mlflow": {"enabled": False, "external": {"url": f"https://mlflow.{OUTSIDE}"}}
        },
        "none": {"mlflow": {"enabled": False}},
    },
    "slack": {
        "none": {},
        "token": {"slack": {"token": f"xoxb-{MARK}3"}},
        "webhook": {"slack": {"webhook": f"https://hooks.{OUTSIDE}/{MARK}4"}},
        "secret": {
            "slack": {"existingSecret": f"{YOURS}slack"},
            "notices": {"existingSecret": f"{YOURS}notices", "oncall": "#on-call"},
        },
        "mail": {
            "notices": {
                "oncall": f"ops@{OUTSIDE}",
                "mailFrom": f"Sentinels <sentinels@{OUTSIDE}>",
                "smtpUrl": f"smtp://ann:{MARK}5@mail.{OUTSIDE}",
                "webhooks": f"ci https://ci.{OUTSIDE} {MARK}6",
            }
        },
    },
    "logs": {
        "own": {},
        "yours": {
            "elasticsearch": {
                "enabled": False,
                "external": {
                    "url": f"https://search.{OUTSIDE}/prefix",
                    "existingSecret": f"{YOURS}search",
                },
            },
            "kibana": {"enabled": False},
        },
        "yours-open": {
            "elasticsearch": {"enabled": False, "external": {"url": f"http://search.{OUTSIDE}"}},
            "kibana": {"enabled": False},
            "fluentBit": {"buffer": "10G"},
        },
        "public": {"kibana": {"publicUrl": f"https://kibana.{OUTSIDE}"}},
        "none": {
            "elasticsearch": {"enabled": False},
            "kibana": {"enabled": False},
            "fluentBit": {"enabled": False},
        },
    },
    "watching": {
        "own": {},
        "yours": {
            "prometheus": {"enabled": False, "external": {"url": f"https://watch.{OUTSIDE}"}},
            "alertmanager": {"enabled": False},
            "kubeStateMetrics": {"enabled": False},
            "nodeExporter": {"enabled": False},
        },
        "your-alertmanager": {
            "alertmanager": {"enabled": False, "external": {"target": f"alerts.{OUTSIDE}:9093"}},
            "prometheus": {
                "keep": "90d",
                "keepSize": "",
                "interval": "10s",
                "dcgm": {"discover": True, "targets": [f"gpu.{OUTSIDE}:9400"]},
            },
            "grafana": {"publicUrl": f"https://grafana.{OUTSIDE}"},
        },
        "channel": {"alertmanager": {"channel": "#on-call", "slackKey": "webhook"}},
        "none": {
            part: {"enabled": False}
            for part in (
                "prometheus",
                "alertmanager",
                "kubeStateMetrics",
                "nodeExporter",
                "grafana",
            )
        },
    },
    "node": {"any": {}, "dedicated": {"dedicatedNode": "big-1"}},
    "data": {"kept": {}, "not-kept": {"keepData": False}},
    "network": {"guarded": {}, "open": {"networkPolicies": False}},
    "image": {
        "default": {},
        "mirrored": {
            "image": {
                "repository": f"registry.{OUTSIDE}:5000/team/sentinels",
                "tag": "1.2.3",
                "pullPolicy": "Always",
            },
            "imagePullSecrets": [f"{YOURS}registry"],
        },
    },
    "teams": {
        "default": {},
        "none": {"teams": []},
        "every-field": {
            "teams": [_EVERY_TEAM_FIELD, {"name": "audio", "users": []}],
            "policy": _POLICY,
        },
    },
    "settings": {
        "none": {},
        "some": {
            "settings": {"keep_finished_seconds": 2592000, "node_selector": "pool=experiments"}
        },
    },
    "volumes": {
        "default": {},
        "class": {
            "postgresql": {
                "persistence": {"storageClass": "fast"},
                "backup": {"persistence": {"storageClass": ""}},
            },
            "mlflow": {"persistence": {"storageClass": "slow", "size": "1Ti"}},
            "elasticsearch": {"persistence": {"storageClass": "fast"}},
            "prometheus": {"persistence": {"storageClass": "fast"}},
        },
    },
}
# The release's name and namespace, as a further axis.
_PLACES = {
    "sentinels": ("sentinels", "sentinels"),
    "elsewhere": ("ml", "team-platform"),
    "long": ("a-release-with-the-longest-name-that-helm-would-take", "sentinels"),
}
_PLACE = "place"


@dataclass(frozen=True)
class Case:
    """One way to install it."""

    choices: Mapping[str, str]

    @property
    def name(self) -> str:
        """What is not the default in it."""
        said = [
            f"{axis}={choice}"
            for axis, choice in self.choices.items()
            if choice != next(iter(_options(axis)))
        ]
        return "+".join(said) or "defaults"

    @property
    def release(self) -> str:
        """The release's name."""
        return _PLACES[self.choices[_PLACE]][0]

    @property
    def namespace(self) -> str:
        """The release's namespace."""
        return _PLACES[self.choices[_PLACE]][1]

    @property
    def values(self) -> dict[str, Any]:
        """All its choices' values."""
        merged: dict[str, Any] = {}
        for axis, choice in self.choices.items():
            merged = overlaid(merged, AXES.get(axis, {}).get(choice) or {})
        return merged

    @property
    def on_knative(self) -> bool:
        """Whether the functions are Knative's."""
        return self.choices["runtime"].startswith("knative")


def overlaid(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``values`` over it, as helm merges them."""
    merged = dict(base)
    for key, value in values.items():
        below = merged.get(key)
        deeper = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = overlaid(below, value) if deeper else value
    return merged


def _options(axis: str) -> Mapping[str, Any]:
    return _PLACES if axis == _PLACE else AXES[axis]


def _pairs(choices: Mapping[str, str]) -> Iterator[frozenset[tuple[str, str]]]:
    return (frozenset(pair) for pair in combinations(choices.items(), 2))


def _all_pairs() -> set[frozenset[tuple[str, str]]]:
    axes = [[(axis, choice) for choice in _options(axis)] for axis in (*AXES, _PLACE)]
    return {
        frozenset((one, other))
        for first, second in combinations(axes, 2)
        for one in first
        for other in second
    }


def _next_case(open_pairs: set[frozenset[tuple[str, str]]]) -> Case:
    """Begins with a pair that has not met yet, and takes of each axis what meets most."""
    choices = dict(sorted(min(open_pairs, key=sorted)))

    def meets(axis: str, choice: str) -> int:
        return sum(frozenset(((axis, choice), taken)) in open_pairs for taken in choices.items())

    for axis in (*AXES, _PLACE):
        if axis not in choices:
            choices[axis] = max(_options(axis), key=partial(meets, axis))
    return Case({axis: choices[axis] for axis in (*AXES, _PLACE)})


def _matrix() -> list[Case]:
    cases = [Case({axis: next(iter(_options(axis))) for axis in (*AXES, _PLACE)})]
    cases.append(Case({**cases[0].choices, "runtime": "deployment"}))
    open_pairs = _all_pairs()
    for case in cases:
        open_pairs -= set(_pairs(case.choices))
    while open_pairs:
        cases.append(_next_case(open_pairs))
        open_pairs -= set(_pairs(cases[-1].choices))
    return cases


CASES = _matrix()
DEFAULTS, DEPLOYMENT = CASES[0], CASES[1]

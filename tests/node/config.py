"""The settings of a node's programs. Pure.

Comes in: names, addresses, paths. Goes out: texts. Before: ``machine``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

PAUSE = "localhost/pause:test"
_CNI_PROGRAMS = "/usr/lib/cni"

_CONTAINERD = """
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{programs}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{folder}/registries"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def containerd_config(folder: Path) -> str:
    """Containers by runc, whose limits work on a machine that is itself confined."""
    return _CONTAINERD.format(folder=folder, programs=_CNI_PROGRAMS, pause=PAUSE)


def cni_config(bridge: str, subnet: str, first: str, last: str, gateway: str) -> str:
    """Pods are on the node's bridge, with addresses of this range."""
    addresses = {"subnet": subnet, "rangeStart": first, "rangeEnd": last, "gateway": gateway}
    plugin = {
        "type": "bridge",
        "bridge": bridge,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[addresses]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    config = {"cniVersion": "0.4.0", "name": bridge, "plugins": [plugin]}
    return json.dumps(config, indent=1)


def registry_hosts(server: str) -> str:
    """Where a registry of this name answers, without encryption."""
    return f'server = "{server}"\n[host."{server}"]\ncapabilities = ["pull", "resolve"]\n'


def kubelet_config(*, files: Mapping[str, Path], cgroup: str, dns: str) -> str:
    """Kubelet's settings: quick to notice and to tell, with nothing held back for itself."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(files["authority"])},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(files["certificate"]),
        "tlsPrivateKeyFile": str(files["key"]),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "evictionHard": {
            "memory.available": "64Mi",
            **{f"{each}fs.available": "1%" for each in ("node", "image")},
            **{f"{each}fs.inodesFree": "1%" for each in ("node", "image")},
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "1s",
        "nodeStatusReportFrequency": "10s",
        "nodeLeaseDurationSeconds": 4,
        "maxPods": 60,
        "containerLogMaxSize": "1Mi",
        "containerLogMonitorInterval": "3s",
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "serializeImagePulls": False,
        "clusterDNS": [dns],
        "clusterDomain": "cluster.local",
        "resolvConf": str(files["resolver"]),
    }
    return json.dumps(config, indent=1)


def proxy_config(*, kubeconfig: Path, node: str) -> str:
    """kube-proxy's settings: what a Service is told of is so at once.

    Pods share one subnet: without masquerade, a pod's answer would go straight to the pod that
    asked the Service, which knows nothing of that address.
    """
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": node,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "nftables": {"masqueradeAll": True, "minSyncPeriod": "50ms"},
        "conntrack": {"maxPerCore": 0},
    }
    return json.dumps(config, indent=1)


_DNS = """
cluster.local:53 in-addr.arpa:53 {{
    bind {address}
    errors
    ready {address}:{ready}
    kubernetes {{
        kubeconfig {kubeconfig}
        ttl 1
        startup_timeout 20s
    }}
}}
.:53 {{
    bind {address}
    errors
    {names}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
_DNS_NAME = """template IN A {name} {{
        answer "{{{{ .Name }}}} 1 IN A {address}"
    }}
    template IN ANY {name} {{
        rcode NOERROR
    }}"""


def dns_config(address: str, ready: int, kubeconfig: Path, names: Mapping[str, str]) -> str:
    """The cluster's names, some more with their addresses, and no others: what is lost is told."""
    more = [_DNS_NAME.format(name=name, address=at) for name, at in names.items()]
    return _DNS.format(
        address=address, ready=ready, kubeconfig=kubeconfig, names="\n    ".join(more)
    )

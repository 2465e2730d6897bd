#!/usr/bin/env bash
# What tests/node needs beside tests/cluster/prepare.sh and tests/services/prepare.sh: containerd, runc, the
# CNI programs, nft, a registry, a static busybox, the node exporter. A node has its own namespaces and folder
# and leaves nothing. Run by .ci/run.
set -euo pipefail
. "$(dirname "$0")/../debian.sh"

install_packages \
    containerd runc containernetworking-plugins docker-registry busybox-static iproute2 nftables util-linux \
    prometheus-node-exporter
containerd --version
runc --version | sed -n 1p

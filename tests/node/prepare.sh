#!/usr/bin/env bash
# What tests/node needs beside tests/cluster/prepare.sh, on a machine that is ours to change (root, apt):
# containerd, runc, the CNI programs, nft, a registry, a static busybox; what tests/node/components
# makes images of. It only installs; a node has its own namespaces and folder and leaves nothing. Run by .ci/run.
set -euo pipefail

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "prepare.sh: needs root and apt-get" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A service would only be in the way: each test session starts its own.
no_services=/usr/sbin/policy-rc.d
if [ ! -e "$no_services" ]; then
    trap 'rm -f "$no_services"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$no_services"
    chmod +x "$no_services"
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
    containerd runc containernetworking-plugins docker-registry busybox-static iproute2 nftables util-linux \
    prometheus-alertmanager prometheus-node-exporter openjdk-17-jdk-headless maven
containerd --version
runc --version | sed -n 1p

#!/usr/bin/env bash
# What tests/node needs of Debian, on a machine that is ours to change (root, apt). Run by .ci/run.
set -euo pipefail

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "prepare.sh: needs root and apt-get; install containerd, runc and the CNI plugins yourself" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
    containerd runc containernetworking-plugins docker-registry busybox-static iproute2 iptables conntrack
containerd --version

#!/usr/bin/env bash
# What tests/cluster needs of Debian, on a machine that is ours to change (root, apt). Run by .ci/run.
set -euo pipefail

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "prepare.sh: needs root and apt-get; install etcd yourself" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# etcd-server's package starts a server where there is an init system: ours are started by the tests.
apt-get install -y -qq --no-install-recommends etcd-server wrk
etcd --version | sed -n 1p

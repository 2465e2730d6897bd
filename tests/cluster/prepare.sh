#!/usr/bin/env bash
# What tests/cluster needs of Debian. Run by .ci/run.
set -euo pipefail
. "$(dirname "$0")/../debian.sh"

install_packages etcd-server wrk
etcd --version | sed -n 1p

#!/usr/bin/env bash
# A container engine for the tests marked `container`, on a machine that is ours to change (root, apt).
# It only installs; the tests bring their own storage and, where the machine is itself confined, their
# own engine settings (tests/contract/local/conftest.py). Run by .ci/run.
set -euo pipefail

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "container_engine.sh: needs root and apt-get; install podman or docker, and busybox-static" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# runc beside crun: crun refuses machines that have cgroups of both versions.
apt-get install -y -qq --no-install-recommends podman runc crun uidmap fuse-overlayfs busybox-static
podman version --format '{{.Client.Version}}'

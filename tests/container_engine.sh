#!/usr/bin/env bash
# A container engine for the tests marked `container`. It only installs; the tests bring their own storage
# and, where the machine is itself confined, their own engine settings (tests/contract/local/conftest.py).
# Run by .ci/run.
set -euo pipefail
. "$(dirname "$0")/debian.sh"

# runc beside crun: crun refuses machines that have cgroups of both versions.
install_packages podman runc crun uidmap fuse-overlayfs busybox-static
podman version --format '{{.Client.Version}}'

#!/usr/bin/env bash
# What tests/services needs of Debian: Alertmanager, a JDK and Maven for the search node, a browser, an
# image registry.
# Prometheus is built from its Go module (tests/chart/programs.py). Run by .ci/run.
set -euo pipefail
. "$(dirname "$0")/../debian.sh"

install_packages prometheus-alertmanager openjdk-17-jdk-headless maven chromium docker-registry
prometheus-alertmanager --version 2>&1 | sed -n 1p
chromium --version 2>/dev/null

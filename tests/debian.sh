# Debian packages for tests, on a machine that is ours to change (root, apt). Sourced by the scripts that
# .ci/run calls: `. tests/debian.sh; install_packages PACKAGE…`. It only installs; no service is started,
# since each test session starts its own.
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root and apt-get; install by hand what it names" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive

install_packages() {
    local no_services=/usr/sbin/policy-rc.d
    if [ ! -e "$no_services" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$no_services"
        chmod +x "$no_services"
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
}

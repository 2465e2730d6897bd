#!/bin/bash
# A search node by the settings that users of Elasticsearch's image know: settings by their dotted names
# in the environment and in config/elasticsearch.yml (one a line), ES_JAVA_OPTS. Like that image it wants
# folders data, logs and config that it can write to, and an answer on security.
set -euo pipefail
home=/usr/share/elasticsearch

fail() {
    echo "entrypoint: $*" >&2
    exit 1
}

# settings: each NAME: VALUE line that holds, what the environment says before the file.
settings() {
    {
        env | sed -nE 's/^([a-z0-9_]+(\.[a-z0-9_]+)+)=(.*)$/\1: "\3"/p'
        grep -E '^[a-z0-9_]+(\.[a-z0-9_]+)+:' "$home/config/elasticsearch.yml" || true
        echo "network.host: 0.0.0.0"
    } | awk -F: '!seen[$1]++'
}

# value NAME: what the settings say of it, or nothing.
value() {
    settings | sed -nE "s/^${1//./\\.}: *\"?([^\"]*)\"?$/\1/p"
}

[ "$(id -u)" -ne 0 ] || fail "a search node does not run as root"
[ -e "$home/config/jvm.options" ] || fail "config has lost what the image had in it: copy that into what is mounted there"
for folder in config data logs; do
    [ -w "$home/$folder" ] || fail "$home/$folder cannot be written to"
done
[ "$(value xpack.security.enabled)" = false ] || fail "security is on, and nothing is set up for it: set xpack.security.enabled=false"

work=$(mktemp -d)
mkdir "$work/config"
cp "$home/log4j2.properties" "$work/config/"
settings | grep -vE '^(xpack\.|ingest\.geoip\.|cluster\.name:|node\.name:|path\.|http\.port:)' >"$work/config/opensearch.yml"
# The runner's first node listens one above the base port.
# shellcheck disable=SC2086 # the options are words
exec "$home/jdk/bin/java" -XX:-UsePerfData ${ES_JAVA_OPTS:-} -cp "$home/lib/*" org.codelibs.opensearch.runner.OpenSearchRunner \
    -basePath "$work" -confPath "$work/config" -dataPath "$home/data" -logsPath "$home/logs" -numOfNode 1 -baseHttpPort 9199 \
    -clusterName "$(name=$(value cluster.name) && echo "${name:-docker-cluster}")"

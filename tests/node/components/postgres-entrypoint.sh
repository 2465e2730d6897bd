#!/bin/bash
# PostgreSQL by the settings that users of the official image know: POSTGRES_USER, POSTGRES_PASSWORD,
# POSTGRES_DB, POSTGRES_INITDB_ARGS (each also as NAME_FILE), POSTGRES_HOST_AUTH_METHOD, PGDATA, and
# /docker-entrypoint-initdb.d at the first start. It runs as the user it is started as, never as root.
set -Eeo pipefail

fail() {
    echo "entrypoint: $*" >&2
    exit 1
}

# setting NAME [DEFAULT]: export NAME from itself, from the file that NAME_FILE names, or the default.
setting() {
    local name=$1 file="$1_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "$name and $file are both set; set one"
    fi
    if [ -n "${!file:-}" ]; then
        export "$name"="$(cat "${!file}")"
        unset "$file"
    else
        export "$name"="${!name:-${2:-}}"
    fi
}

# Scripts of the first start may call this, with a query as input.
docker_process_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

make_cluster() {
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
        fail "there is no password for $POSTGRES_USER: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
    fi
    # shellcheck disable=SC2086 # the arguments are words
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        echo "entrypoint: $script"
        case $script in
        *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
        *.sql) docker_process_sql -f "$script" ;;
        *.sql.gz) gunzip -c "$script" | docker_process_sql ;;
        *) echo "entrypoint: ignored" ;;
        esac
    done
}

first_start() {
    setting POSTGRES_INITDB_ARGS
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    make_cluster
    export PGPASSWORD=$POSTGRES_PASSWORD
    pg_ctl -o "-c listen_addresses=''" -w start
    if [ "$POSTGRES_DB" != postgres ]; then
        POSTGRES_DB=postgres docker_process_sql --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    shopt -s nullglob
    run_scripts
    pg_ctl -m fast -w stop
    unset PGPASSWORD
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} == postgres ]] || exec "$@"
[ "$(id -u)" -ne 0 ] || fail "PostgreSQL does not run as root: start the container as 999:999"
mkdir -p "$PGDATA"
chmod 700 "$PGDATA" || true
[ -s "$PGDATA/PG_VERSION" ] || first_start
exec "$@"

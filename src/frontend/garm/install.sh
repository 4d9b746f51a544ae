# shellcheck shell=bash disable=SC2154
# Makes this instance a runner: finds or downloads the runner, gets its registration from GARM, and starts it. Runs once as
# its user, who may use sudo. Whatever fails is told to GARM, which then takes the instance away.
set -Eeuo pipefail
[[ $DEBUG != true ]] || set -x

home=/home/runner
directory=$home/actions-runner
cache=/opt/cache/actions-runner
units=/etc/systemd/system
pause=5

# Tries a command up to five times.
persist() {
    local tried=1
    until "$@"; do
        ((tried++ < 5)) || return 1
        sleep "$pause"
    done
}

# Asks a server with a token, which is on no command line.
ask() {
    local token=$1
    shift
    curl --fail --silent --show-error --location --connect-timeout 20 --max-time 900 \
        --config <([[ -z $token ]] || printf 'header = "Authorization: Bearer %s"\n' "$token") "$@"
}

# Sends JSON to GARM.
post() {
    ask "$CALLBACK_TOKEN" --output /dev/null --header 'Content-Type: application/json' --data "$2" "$1"
}

# Tells GARM how far this is. If it does not listen, the work goes on.
tell() {
    local url=${CALLBACK_URL%/}
    [[ $url == */status ]] || url+=/status
    persist post "$url" "{\"status\":\"$1\",\"message\":\"$2\",\"agent_id\":${3-null}}" || true
}

fail() {
    trap - ERR
    tell failed "$1"
    echo "$1" >&2
    exit 1
}
trap 'fail "The install script failed at its line $LINENO"' ERR

# Fetches something of this runner from GARM into a file.
fetch() {
    persist ask "$CALLBACK_TOKEN" --output "$2" "${METADATA_URL%/}/$1" || fail "GARM does not hand out $1"
}

# Where the image has a runner, if it has one.
find_cached() {
    local version='' cached
    [[ ! $FILE_NAME =~ [0-9]+\.[0-9]+\.[0-9]+ ]] || version=${BASH_REMATCH[0]}
    for cached in "$cache/latest" ${version:+"$cache/$version"}; do
        if [[ -d $cached ]]; then
            echo "$cached"
            return
        fi
    done
}

# It was installed with all that it needs.
copy_cached() {
    tell installing "Using the runner of the image"
    sudo cp --archive "$1/." "$directory" || fail "The runner of the image cannot be copied"
    sudo chown --recursive "$(id -u):$(id -g)" "$directory" || fail "The runner of the image cannot be given to its user"
}

download() {
    local archive
    archive=$(mktemp)
    tell installing "Downloading the runner"
    persist ask "$DOWNLOAD_TOKEN" --output "$archive" "$DOWNLOAD_URL" || fail "The runner cannot be downloaded"
    if [[ -n $CHECKSUM ]]; then
        echo "$CHECKSUM  $archive" | sha256sum --check --status || fail "The runner that was downloaded has another checksum"
    fi
    tell installing "Unpacking the runner"
    tar --extract --gzip --file "$archive" --directory "$directory" || fail "The runner cannot be unpacked"
    rm --force "$archive"
    (cd "$directory" && sudo ./bin/installdependencies.sh) || fail "What the runner depends on cannot be installed"
}

# SELinux lets systemd start only what is labelled so.
label() {
    [[ -e /sys/fs/selinux ]] || return 0
    sudo chcon --no-dereference system_u:object_r:systemd_unit_file_t:s0 "$units/$1"
    sudo chcon --recursive --no-dereference user_u:object_r:bin_t:s0 "$home"
}

# GARM has made the registration and hands out its files.
start_registered() {
    local name unit
    tell installing "Getting the registration"
    umask 077
    fetch credentials/runner .runner
    fetch credentials/credentials .credentials
    fetch credentials/credentials_rsaparams .credentials_rsaparams
    umask 022
    fetch system/service-name .service
    name=$(< .service)
    [[ $name =~ ^[A-Za-z0-9@._-]+$ ]] || fail "GARM hands out a service name that is none"
    unit=$name.service
    echo "$unit" > .service
    fetch "systemd/unit-file?runAsUser=runner" .unit
    sudo install --mode 0644 .unit "$units/$unit"
    rm .unit
    cp bin/runsvc.sh .
    chmod 0755 runsvc.sh
    label "$unit"
    sudo systemctl daemon-reload
    sudo systemctl enable "$unit"
    tell installing "Starting the runner"
    sudo systemctl start "$unit"
}

# The runner makes its registration by itself, with a token from GARM, which it reads from its environment.
configure() {
    local -x ACTIONS_RUNNER_INPUT_TOKEN=$1
    local arguments
    arguments=(--unattended --url "$REPO_URL" --name "$RUNNER_NAME" --labels "$RUNNER_LABELS"
        --no-default-labels --ephemeral)
    [[ -z $RUNNER_GROUP ]] || arguments+=(--runnergroup "$RUNNER_GROUP")
    ./config.sh "${arguments[@]}" && return
    ./config.sh remove || true
    return 1
}

start_by_token() {
    local token unit
    tell installing "Registering the runner"
    token=$(persist ask "$CALLBACK_TOKEN" "${METADATA_URL%/}/runner-registration-token/") ||
        fail "GARM hands out no registration token"
    persist configure "$token" || fail "The runner cannot be registered"
    tell installing "Starting the runner"
    sudo ./svc.sh install runner
    unit=$(< .service)
    label "$unit"
    sudo ./svc.sh start
}

# A part of /etc/os-release that JSON takes as it is.
release() {
    local value
    value=$(. /etc/os-release && echo "${!1-}")
    echo "${value//[^A-Za-z0-9 ._+-]/}"
}

mkdir --parents "$directory"
cached=$(find_cached)
if [[ -n $cached ]]; then
    copy_cached "$cached"
else
    download
fi
cd "$directory"
if [[ $JIT == true ]]; then
    start_registered
else
    start_by_token
fi
agent=$(sed -nE 's/.*"[aA]gentId" *: *"?([0-9]+).*/\1/p' .runner | head --lines 1)
agent=${agent:-null}
info=${CALLBACK_URL%/}
info=${info%/status}/system-info/
persist post "$info" "{\"os_name\":\"$(release NAME)\",\"os_version\":\"$(release VERSION_ID)\",\"agent_id\":$agent}" || true
tell idle "The runner waits for jobs" "$agent"

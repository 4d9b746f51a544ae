# shellcheck shell=bash disable=SC2154
# Makes this machine the runner of one job, and ends it afterwards. Runs once, as root, after the start of the image's init. What
# the image has to have is said in docs/on-demand-images.md.
set -Eeuo pipefail
umask 077

directory=/home/runner/actions-runner
unit=github-actions-runner.service

# For the journal, and for the console, which is all that the host sees. Writing there may not be possible.
tell() {
    echo "$1" >&2
    { echo "$1" > /dev/console; } 2> /dev/null || true
}

fail() {
    tell "$1"
    exit 1
}

# However this ends too early: nobody waits at such a machine.
power_off() {
    local code=$?
    ((code)) || return 0
    tell "Failed to make this machine a runner, exit code $code: it powers off"
    systemctl poweroff --force
}
trap power_off EXIT
trap 'tell "Line $LINENO of the user data failed"' ERR

# The clock of a container is the host's. That of a virtual machine can be wrong: one that is behind gives no more than the
# whole time of the class, one that is ahead gives less. The timer counts seconds and looks at no clock.
left=$((deadline - $(date +%s)))
((left <= longest)) || left=$longest
((left > 0)) || fail "The time of this machine is over, by its clock: $(date)"
systemd-run --quiet --unit=github-runner-deadline --on-active="${left}s" --timer-property=AccuracySec=1s \
    systemctl poweroff --force

# Fetches the runner of the class into its root, as a user who may do everything: this machine is the sandbox. It fits no other file.
fetch_runner() {
    local url sum archive=/var/tmp/actions-runner.tar.gz
    url=$(base64 --decode <<< "$runner_url")
    sum=$(base64 --decode <<< "$runner_sha256")
    id -u runner > /dev/null 2>&1 || useradd --create-home --shell /bin/bash runner
    install --mode=0440 /dev/stdin /etc/sudoers.d/90-runner <<< "runner ALL=(ALL) NOPASSWD:ALL"
    install --directory --owner=runner --group="$(id -gn runner)" --mode=0755 "$directory"
    curl --fail --silent --show-error --location --proto =https --retry 5 --max-time 240 --output "$archive" "$url" ||
        fail "The runner cannot be fetched from $url"
    sha256sum --check --status <<< "$sum  $archive" || fail "What is at $url has another SHA-256 than $sum"
    tar --extract --gzip --file="$archive" --directory="$directory" --no-same-owner
    chown --recursive "runner:$(id -gn runner)" "$directory"
    rm "$archive"
}
[[ -z $runner_url ]] || fetch_runner

user=root
! id -u runner > /dev/null 2>&1 || user=runner
group=$(id -gn "$user")
for made in "${directory%/*}" "$directory"; do
    [[ -d $made ]] || install --directory --owner="$user" --group="$group" --mode=0755 "$made"
done

[[ $user == root || $(stat --format=%U "$directory") == "$user" ]] ||
    fail "$directory does not belong to the user $user: chown it in the image"

# Writes what it is given as base64 into a file of the runner's root. Nothing of it is on a command line: a function has none.
put() {
    printf %s "$2" | base64 --decode > "$directory/$1"
    chown "$user:$group" "$directory/$1"
}
put .credentials_rsaparams "$registered_key"
put .credentials "$registered_credentials"
put .runner "$registered_settings"
put .order "$order"
put job-started.sh "$hook"

units=/run/systemd/system
mkdir -p "$units/$unit.d"
if ! systemctl cat "$unit" > /dev/null 2>&1; then
    [[ -x $directory/bin/Runner.Listener ]] ||
        fail "This image has neither $unit nor $directory/bin/Runner.Listener, so it is none for runners"
    cat > "$units/$unit" << END
[Unit]
Description=GitHub Actions runner

[Service]
User=$user
WorkingDirectory=$directory
ExecStart=$directory/bin/Runner.Listener run --startuptype service
END
fi
# The hook says that the job has begun. Until then the machine that made this waits for no longer than its class says, and it is
# the first to do something about it.
cat > "$units/$unit.d/order.conf" << END
[Unit]
SuccessAction=poweroff
FailureAction=poweroff-force

[Service]
Type=notify
NotifyAccess=all
Restart=no
TimeoutStartSec=$patience
RuntimeMaxSec=$left
StandardOutput=journal+console
Environment=RUNNER_ROOT=$directory
Environment=ACTIONS_RUNNER_HOOK_JOB_STARTED=$directory/job-started.sh
END
# The runner looks for a library of languages that not every image has, and ends without it unless it is told that it needs none.
[[ -z $runner_url || $(ldconfig -p 2> /dev/null) == *libicuuc* ]] ||
    echo Environment=DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 >> "$units/$unit.d/order.conf"
systemctl daemon-reload
systemctl start --no-block "$unit"

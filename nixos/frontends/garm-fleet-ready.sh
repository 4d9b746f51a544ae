# shellcheck shell=bash
# Waits until GARM listens: garm-fleet-ready.sh PORT. systemd ends it, and GARM with it, when that takes too long.
set -eu

until (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do
    sleep 0.2
done

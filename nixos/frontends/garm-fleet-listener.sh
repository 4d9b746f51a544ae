# shellcheck shell=bash
# Whether it is GARM that listens where the pass says its password: garm-fleet-listener.sh UNIT PORT. Any program of this host may
# listen there while GARM does not. Root runs this, and the kernel names the user of a socket; where one has 127.0.0.1 and the port,
# nobody else can have both. A GARM that is on its way is waited for.
set -euo pipefail

unit=$1 port=$2
# As the kernel writes 127.0.0.1 and the port; 0A is a socket that listens.
printf -v wanted '0100007F:%04X' "$port"

# User of GARM's process, and of whoever listens; empty if there is none.
user_of_unit() {
    local pid key user
    pid=$(systemctl show --property MainPID --value "$unit")
    [[ $pid != 0 && -r /proc/$pid/status ]] || return 0
    while read -r key user _; do
        [[ $key != Uid: ]] || echo "$user"
    done < "/proc/$pid/status"
}
user_of_listener() {
    local address state user
    while read -r _ address _ state _ _ _ user _; do
        [[ $address != "$wanted" || $state != 0A ]] || echo "$user"
    done < /proc/net/tcp
}

for ((left = 120; left > 0; left--)); do
    garm=$(user_of_unit)
    listener=$(user_of_listener)
    if [[ -n $garm && $listener == "$garm" ]]; then
        exit 0
    fi
    sleep 0.5
done
if [[ -n $listener ]]; then
    echo "What listens on 127.0.0.1:$port is of user $listener and not $unit, and would get GARM's password: end it, see \`ss -ltnp\`" >&2
else
    echo "Nobody listens on 127.0.0.1:$port: see the journal of $unit" >&2
fi
exit 1

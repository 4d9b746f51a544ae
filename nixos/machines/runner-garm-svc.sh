# shellcheck shell=bash
# The part of the runner's svc.sh that install scripts call: `install USER` and `start`.
set -eu
unit=actions.runner.garm.service
case $1 in
    install)
        cat > "/etc/systemd/system/$unit" << END
[Unit]
Description=GitHub Actions Runner
After=network.target
[Service]
ExecStart=$RUNNER_ROOT/bin/runsvc.sh
User=$2
WorkingDirectory=$RUNNER_ROOT
KillMode=process
TimeoutStopSec=5min
[Install]
WantedBy=multi-user.target
END
        echo "$unit" > "$RUNNER_ROOT/.service"
        systemctl daemon-reload
        systemctl enable "$unit"
        ;;
    start) systemctl start "$unit" ;;
    *)
        echo "svc.sh of this image knows install and start" >&2
        exit 2
        ;;
esac

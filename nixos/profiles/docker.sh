# Runs `docker`, and gives actions/runner what it takes for granted: for its containers the engine's socket at the usual place; for
# `container:`, which it creates and does not run, the store that its Node.js lies in; and health checks, for which podman
# would need timers of systemd, whenever somebody asks how a container is.
case ${1-} in
create | run)
    arguments=() before='' has_store=''
    for argument; do
        case "$before $argument" in
        "-v /var/run/docker.sock:/var/run/docker.sock")
            [[ ${DOCKER_HOST-} != unix://* ]] || argument=${DOCKER_HOST#unix://}:/var/run/docker.sock
            ;;
        "-v "*/nix/store | "-v "*:/nix/store:*) has_store=1 ;;
        esac
        arguments+=("$argument")
        before=$argument
    done
    set -- "${arguments[@]}"
    if [[ $1 == create && -z $has_store ]]; then
        shift
        set -- create -v /nix/store:/nix/store:ro "$@"
    fi
    ;;
inspect)
    if [[ -n $podman && $* == *.State.Health* ]]; then
        "$podman" --remote healthcheck run "${!#}" > /dev/null 2>&1 || true
    fi
    ;;
esac
exec "$docker" "$@"

# Whether jobs have an engine of containers, and which one.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.containers = {
    engine = mkOption {
      type = types.nullOr (
        types.enum [
          "docker"
          "podman"
        ]
      );
      default = null;
      example = "podman";
      description = ''
        Opens: with `podman`, jobs reach the kernel by mounts and namespaces in a unit without most of the runner's sandbox, and are
        not root; with `docker`, **each job is root on this host**, because whoever may use that socket is.

        Jobs find `docker`, and `container:`, `services:` and actions that are containers find it, too. `UMask=` is `0022`, unless
        {option}`sandbox.umask` says otherwise, so that users of images can read what is mounted. What actions/runner looks for
        at {file}`/var/run/docker.sock` is taken from the engine's own place. Containers of `container:` see the host's
        {file}`/nix/store`, to read, because {option}`package` has its Node.js there; images with a store of their own work by
        `docker run` alone.

        `podman` runs in `github-runner-containers@‹instance›.service` beside the runner, as its static {option}`user` or the one of
        {option}`createUser`. It starts when a job first needs it, sees of the host what jobs see, shares their `/tmp`, and ends
        with the runner's unit, at each cycle of an ephemeral one, too: no container outlives that. What a container's root
        writes belongs to the user of the job; what other users of a container write does not, and a directory of theirs stays
        until a start empties the work directory. Overrides of the sandbox and limits of {option}`resources` hold for that unit as well, limits
        for each of both by itself. The user needs subordinate ids: {option}`createUser` has them allotted, for another one set
        `users.users.‹name›.autoSubUidGidRange`. Images are built by podman and not by BuildKit. A health check of a container
        runs whenever somebody asks by `docker inspect` how it is, as actions/runner does, and not by itself.

        `docker` is the host's own engine, or whichever answers at {option}`containers.socket`. Nothing of the sandbox is
        relaxed. Its containers outlive their job and the runner. It is warned of unless {option}`trustJobsLikeRoot` is on.
      '';
    };

    socket = mkOption {
      type = types.str;
      default = "/run/docker.sock";
      example = "/run/podman/podman.sock";
      description = ''
        Opens: jobs do with this socket of an engine what its owner can, see {option}`containers.engine`, of which it is for `docker` alone.

        For the engine of `virtualisation.podman` as root it is {file}`/run/podman/podman.sock`.
      '';
    };

    group = mkOption {
      type = types.str;
      default = "docker";
      example = "podman";
      description = ''
        Opens: jobs are in this group, to which {option}`containers.socket` belongs. For `docker` alone.

        For the engine of `virtualisation.podman` as root it is `podman`.
      '';
    };

    keepImages = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Opens: an image that one job pulls or builds, under whatever name, the next one runs. For `podman` alone.

        Images and volumes stay below {file}`/var/lib/github-runner-containers/‹instance›`, also when the runner goes, for each `url` and
        {option}`user` apart. Jobs can fill that disk, and no start empties it. When this is off,
        they are in the private `/var/tmp` of the runner and gone when its unit ends, so that each cycle of an ephemeral
        one pulls anew.
      '';
    };
  };
}

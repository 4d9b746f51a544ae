# An engine of containers for jobs: what of it is in the runner's own unit, whose sandbox stays whole. The
# engine that is a unit beside it is in ../units/containers.nix. A pure function over values and packages.
{ lib, pkgs }:

let
  names = import ../units/containers-names.nix;

  # What actions/runner and jobs call.
  clientOf =
    engine:
    pkgs.writeTextFile {
      name = "github-runner-client-of-${engine}";
      destination = "/bin/docker";
      executable = true;
      text = lib.concatStringsSep "\n" [
        "#!${pkgs.bashInteractive}/bin/bash"
        "docker=${pkgs.docker-client}/bin/docker"
        "podman=${lib.optionalString (engine == "podman") "${pkgs.podman}/bin/podman"}"
        (builtins.readFile ./docker.sh)
      ];
      checkPhase = ''${pkgs.stdenv.shellDryRun} "$target"'';
    };

  # As engines name the unit beside their own: docker.sock and docker.socket.
  unitOf = socket: "${lib.removeSuffix ".sock" (baseNameOf socket)}.socket";
in
{
  inherit clientOf;

  part =
    instance: runner:
    let
      inherit (runner.containers) engine group;
      socket = if engine == "podman" then names.path instance else runner.containers.socket;
    in
    lib.optionalAttrs (engine != null) {
      sandbox.UMask = "0022";
      lists.SupplementaryGroups = lib.optional (engine == "docker") group;
      environment = {
        DOCKER_HOST = "unix://${socket}";
      }
      // lib.optionalAttrs (engine == "podman") {
        # podman builds by itself, and has nothing that BuildKit could speak to.
        DOCKER_BUILDKIT = "0";
        CONTAINER_HOST = "unix://${socket}";
      };
      last = [ (clientOf engine) ] ++ lib.optional (engine == "podman") pkgs.podman;
      units = [ (if engine == "podman" then "${names.stem instance}.socket" else unitOf socket) ];
      may = [ engine ];
    };
}

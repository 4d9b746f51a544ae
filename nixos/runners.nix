# Turns every enabled runner of `services.github-runners` into its unit, its
# assertions and the directories it needs. Decides nothing about one runner:
# that is what the pure functions imported here are for.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  runners = lib.filterAttrs (_: runner: runner.enable) config.services.github-runners;
  helper = config.services.github-runner-helper.package;

  manifestOf = import ./manifest.nix { inherit helper pkgs; };
  unitOf = import ./service.nix {
    inherit helper ledger lib;
    # In the order in which jobs have always found them.
    packages = [
      pkgs.bashInteractive
      pkgs.coreutils
      pkgs.git
      pkgs.gnutar
      pkgs.gzip
      config.nix.package
    ];
  };
  assertionsOf = import ./assertions.nix { inherit ledger lib; };

  ledger = "/var/lib/github-runner-registrations";
in
{
  assertions = lib.concatLists (lib.mapAttrsToList assertionsOf runners);

  systemd.services = lib.mapAttrs' (
    instance: runner:
    lib.nameValuePair "github-runner-${instance}" (unitOf {
      inherit instance runner;
      manifest = manifestOf instance runner;
    })
  ) runners;

  # Names every registration that somebody may have to take back, so it outlives
  # the runners and no service user can look inside.
  systemd.tmpfiles.rules = lib.optional (runners != { }) "d ${ledger} 0700 root root - -";
}

# What profiles say to the host's Nix: a part of `nix.settings`, and of the unit that collects
# garbage. Each setting adds to what the host has: `allowed-users` would take the place of
# everybody. A pure function over values.
{ lib }:

{
  # What a runner's jobs may.
  part = runner: {
    may = lib.optional (runner.nix.access != null) "nix (${runner.nix.access})";
  };

  # Of all runners, each with the name of its user, or null where nobody knows it.
  settings =
    all:
    let
      gathered = valuesOf: lib.unique (lib.concatMap valuesOf all);
      usersWith =
        access:
        gathered ({ runner, user }: lib.optional (runner.nix.access == access && user != null) user);
    in
    lib.filterAttrs (_: values: values != [ ]) {
      extra-allowed-users = usersWith "allowed";
      extra-trusted-users = usersWith "trusted";
      extra-substituters = gathered ({ runner, ... }: runner.nix.substituters);
      extra-trusted-public-keys = gathered ({ runner, ... }: runner.nix.trustedPublicKeys);
    };

  # Services of the host, as a part of `systemd.services`, of runners by their instances.
  services =
    { runnerctl, systemd }:
    instances:
    let
      inherit (import ../units/syntax.nix) argument;
      holding = builtins.attrNames (
        lib.filterAttrs (_: runner: runner.nix.holdGarbageCollection) instances
      );
      wait = [
        "${runnerctl}/bin/github-runnerctl"
        "wait-for-jobs"
      ]
      ++ holding;
    in
    lib.optionalAttrs (holding != [ ]) {
      nix-gc = {
        path = [ systemd ];
        # It would be started again by the switch, which would wait for jobs with it; perhaps for the
        # very one that it is a part of.
        restartIfChanged = false;
        # Right before it collects. It waits itself, because a condition would let the collection be missed
        # until it is due again, and the dash lets it come also if nobody can wait.
        serviceConfig.ExecStartPre = lib.mkAfter [ "-${lib.concatMapStringsSep " " argument wait}" ];
      };
    };
}

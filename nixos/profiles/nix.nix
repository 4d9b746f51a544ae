# What profiles say to the host's Nix daemon, as a part of `nix.settings`. Each setting adds
# to what the host has: `allowed-users` would take the place of everybody. A pure
# function over values.
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
}

# What of a runner's profile is refused or told. Looks at the merged unit where an
# override may have had a say. A pure function over values.
{
  lib,
  # Whether the host has a Nix daemon that reads settings, and a loader for programs of other systems.
  hasNix,
  hasNixLd,
  # Limits on the time of the unit that collects garbage, by their directives.
  collectionLimits,
  # `users.users` of the host.
  users,
  # What belongs to all runners: the files of their secrets, the directories that starts empty, the
  # homes of users that are made, and caches, each as its path and user.
  secrets,
  workDirs,
  homes,
  caches,
}:

let
  devices = import ./devices.nix { inherit lib; };
  sandbox = import ./sandbox.nix { inherit lib; };
  trust = import ./trust.nix { inherit lib; };
  containers = import ./containers.nix { inherit users; };
  hooks = import ./hooks.nix { inherit lib; };
  steps = import ./steps.nix { inherit lib; };
  user = import ./user.nix {
    inherit
      caches
      homes
      lib
      secrets
      workDirs
      ;
  };
  nixAccess = import ./nix-access.nix { inherit collectionLimits hasNix lib; };
  runtimes = import ./runtimes.nix { inherit hasNixLd lib; };
in
# A runner, how systemd reads its unit (see ../units/merged.nix), and the name of its user.
unit@{ runner, ... }:

let
  say = message: "`services.github-runners.${runner.pool}`: ${message}";
  tell = fault: message: lib.optional fault (say message);
  # As in promises.nix: what `trustJobsLikeRoot` accepts.
  wayOut = "If every job may do what root may, set `trustJobsLikeRoot = true`.";
  unlessTrusted = fault: message: tell (fault && !runner.trustJobsLikeRoot) "${message} ${wayOut}";
  means = { inherit tell unlessTrusted; };
in
{
  refused =
    trust means unit
    ++ devices means runner
    ++ sandbox means unit
    ++ (containers means unit).refused
    ++ hooks means unit
    ++ steps means unit
    ++ runtimes means unit
    ++ (nixAccess means unit).refused
    ++ (user means unit).refused;
  warnings =
    (containers means unit).warnings ++ (nixAccess means unit).warnings ++ (user means unit).warnings;
}

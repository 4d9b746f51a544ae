# Runners that run as one user, so that a job of each reads the keys of the
# others and changes their files: told, and refused where `ephemeral` promises
# more. A pure function over values.
{ lib }:

# Instance → its runner, and how systemd reads its unit; see ../units/merged.nix.
units:

let
  all = lib.filter ({ user, ... }: user != "") (
    lib.mapAttrsToList (
      instance:
      { runner, merged, ... }:
      let
        inherit (merged) isRoot userName;
      in
      {
        inherit instance runner;
        # About root there is another sentence, and about nobody nothing to say.
        user = if isRoot userName then "" else userName;
      }
    ) units
  );
  shared = lib.filterAttrs (_: runners: builtins.length runners > 1) (
    builtins.groupBy ({ user, ... }: user) all
  );

  messageOf =
    user: runners:
    let
      entries = lib.unique (map ({ runner, ... }: "`services.github-runners.${runner.pool}`") runners);
      option = if lib.any ({ runner, ... }: runner.createUser) runners then "createUser" else "user";
    in
    "${lib.concatStringsSep ", " entries}: ${toString (builtins.length runners)} runners run as the user `${user}`, so a job of one can read the key of another one's registration, and change the files of its jobs. Leave `${option}` out, and each has a dynamic user of its own; or give each a user of its own, in entries of their own.";

  untrusted = lib.filterAttrs (_: lib.any ({ runner, ... }: !runner.trustJobsLikeRoot)) shared;
  promisesMore = lib.any ({ runner, ... }: runner.ephemeral && !runner.trustJobsLikeRoot);
in
{
  refused = lib.mapAttrsToList (
    user: runners:
    "${messageOf user runners} `ephemeral` promises that a job has nothing to do with another one. If every job may do what root may, set `trustJobsLikeRoot = true`."
  ) (lib.filterAttrs (_: promisesMore) untrusted);
  warnings = lib.mapAttrsToList messageOf (
    lib.filterAttrs (_: runners: !promisesMore runners) untrusted
  );
}

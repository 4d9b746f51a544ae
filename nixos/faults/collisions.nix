# Runners that would get in each other's way, as a list of NixOS assertions: as
# the same instance, with one unit and one registration; under the same name on
# the same page of GitHub; or in work directories of which one is emptied whenever
# the other one's runner starts. A pure function over values.
{
  lib,
  # What the host is called, which is the name of runners that have none.
  hostName,
}:

# Entry → the instances that it makes.
instancesOf:

let
  inherit (import ./path-components.nix { inherit lib; }) components;

  runners = lib.concatMap (lib.mapAttrsToList (instance: runner: { inherit instance runner; })) (
    builtins.attrValues instancesOf
  );
  entryOf = { runner, ... }: "`services.github-runners.${runner.pool}`";

  # Two entries often collide more than once; one message for both is enough.
  refuse =
    message: pairs:
    map
      (pair: {
        assertion = false;
        message = message pair;
      })
      (
        builtins.attrValues (
          builtins.mapAttrs (_: builtins.head) (
            builtins.groupBy ({ first, second }: "${first.runner.pool} ${second.runner.pool}") pairs
          )
        )
      );

  # The first and the last of all that have the same key.
  same =
    keyOf:
    lib.concatMap (
      all:
      lib.optional (builtins.length all > 1) {
        first = builtins.head all;
        second = lib.last all;
      }
    ) (builtins.attrValues (builtins.groupBy keyOf runners));

  pageAndName =
    { runner, ... }:
    builtins.unsafeDiscardStringContext (
      lib.toLower "${lib.removeSuffix "/" runner.url} ${
        if runner.name == null then hostName else runner.name
      }"
    );

  # With the specifiers that stand for the unit's name, which tell directories apart.
  componentsOf =
    { instance, runner }:
    components (
      builtins.replaceStrings
        [ "%n" "%N" "%p" ]
        [ "github-runner-${instance}.service" "github-runner-${instance}" "github-runner-${instance}" ]
        runner.workDir
    );

  # In this order a directory comes right before what lies in it.
  directories = builtins.sort (a: b: a.path < b.path) (
    map (one: one // { path = "/${lib.concatStringsSep "/" (componentsOf one)}/"; }) (
      lib.filter ({ runner, ... }: runner.workDir != null) runners
    )
  );
  neighbours = builtins.genList (at: {
    first = builtins.elemAt directories at;
    second = builtins.elemAt directories (at + 1);
  }) (if directories == [ ] then 0 else builtins.length directories - 1);

  areTwo = { first, second }: first.instance != second.instance;
in
refuse (
  { first, second }:
  "${entryOf first} and ${entryOf second} both make the instance `${first.instance}`. Rename one of them; the name that GitHub shows is a separate option, `name`."
) (same ({ instance, ... }: instance))
++ refuse (
  { first, second }:
  "${entryOf first} and ${entryOf second} both have a runner with the name `${
    if first.runner.name == null then hostName else first.runner.name
  }` at ${first.runner.url}, where GitHub takes only one. Give one of them another `name`."
) (lib.filter areTwo (same pageAndName))
++ refuse (
  { first, second }:
  "${entryOf first} and ${entryOf second} have work directories of which one lies in the other, `${first.runner.workDir}` and `${second.runner.workDir}`, and every start empties its own. Give each entry a `workDir` apart from the others."
) (lib.filter (pair: areTwo pair && lib.hasPrefix pair.first.path pair.second.path) neighbours)

# Entries that would make the same instance, which would share its unit and its
# registration, as a list of NixOS assertions. A pure function over values.
{ lib }:

# Entry → the instances that it makes.
instancesOf:

let
  # Instance → the entries that make it.
  makers = lib.zipAttrsWith (_: map (runner: runner.pool)) (builtins.attrValues instancesOf);
  collisions = lib.filterAttrs (_: entries: builtins.length entries > 1) makers;

  # Two entries often collide more than once; one message for both is enough.
  byEntries = lib.mapAttrs' (
    instance: entries: lib.nameValuePair (toString entries) { inherit instance entries; }
  ) collisions;
in
map (
  { instance, entries }:
  {
    assertion = false;
    message = "`services.github-runners.${builtins.head entries}` and `services.github-runners.${lib.last entries}` both make the instance `${instance}`. Rename one of them; the name that GitHub shows is a separate option, `name`.";
  }
) (builtins.attrValues byEntries)

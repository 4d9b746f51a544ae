# What cannot work of Node.js and of programs that jobs download. A pure function over values.
{
  lib,
  # Whether the host has a loader for programs of other systems.
  hasNixLd,
}:

{ tell, ... }:

{ runner, ... }:

let
  isRuntime = text: builtins.match "node[0-9]+(_alpine)?" text != null;
  aliasFaults =
    name: target:
    tell (!isRuntime name || !isRuntime target)
      "`nodeAliases` (${builtins.toJSON name} as ${builtins.toJSON target}) names something else than a Node.js. Both have to be as in `runs.using` of an action, for example `node20`."
    ++ tell (
      name == target
    ) "`nodeAliases` makes ${builtins.toJSON name} another name of itself. Remove it.";
in
lib.concatLists (lib.mapAttrsToList aliasFaults runner.nodeAliases)
++
  tell (runner.hostedToolchains && !hasNixLd)
    "`hostedToolchains` is on, but `programs.nix-ld.enable` of the host is off, so what jobs download does not start. Remove one of them."

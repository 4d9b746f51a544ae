# What is wrong with own commands around steps. A pure function over values.
{ lib }:

{ tell, ... }:

{ runner, ... }:

let
  isMadeByGithub = import ../units/jit.nix;
  known = [
    "prepare"
    "configure"
    "record"
    "release"
    "settle"
  ];
  about =
    name:
    { command, wrapper, ... }:
    tell (
      !builtins.elem name known
    ) "`steps.${name}` is of no step. The steps are ${lib.concatStringsSep ", " known}."
    ++
      tell (name == "configure" && isMadeByGithub runner)
        "`steps.configure` is of a step that its unit does not have, because GitHub makes its registration. Remove it, or set `registration.method = \"configure\"`."
    ++
      tell (command != null && wrapper != null)
        "`steps.${name}` has a `command`, which takes the place of the step, and a `wrapper`, which would run the step. Remove one of them.";
in
lib.concatLists (lib.mapAttrsToList about runner.steps)

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
  # A word `;` begins another command, without the rights of the first; a backslash at the end takes the next line in.
  isOne =
    text:
    !builtins.elem ";" (lib.splitString " " text) && builtins.match ".*\\\\[[:space:]]*" text == null;
  about =
    name:
    {
      after,
      before,
      command,
      wrapper,
    }:
    tell (
      !builtins.elem name known
    ) "`steps.${name}` is of no step. The steps are ${lib.concatStringsSep ", " known}."
    ++
      tell (name == "configure" && isMadeByGithub runner)
        "`steps.configure` is of a step that its unit does not have, because GitHub makes its registration. Remove it, or set `registration.method = \"configure\"`."
    ++
      tell (command != null && wrapper != null)
        "`steps.${name}` has a `command`, which takes the place of the step, and a `wrapper`, which would run the step. Remove one of them."
    ++
      lib.concatMap
        (
          text:
          tell (!isOne text)
            "`steps.${name}` has the line ${builtins.toJSON text}, which is more than one command: it has a word `;`, or ends with a backslash. Make each an entry of its own, or put it into a script."
        )
        (
          before
          ++ after
          ++ lib.filter (text: text != null) [
            command
            wrapper
          ]
        );
in
lib.concatLists (lib.mapAttrsToList about runner.steps)

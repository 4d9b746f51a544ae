# The type of overrides of a unit. Several definitions become one directive by directive, as
# in a unit of NixOS: lists one after the other, and other values have to be equal. What
# decides about that, such as `mkForce` and `mkIf`, stays in the value, because it has to
# decide beside what the module says as well.
{ lib }:

let
  plain =
    value:
    if
      builtins.isBool value || builtins.isInt value || builtins.isFloat value || builtins.isString value
    then
      builtins.toJSON value
    else
      "another kind of value";

  # Of definitions without conditions, those that win.
  directive = lib.mkOptionType {
    name = "directive";
    merge =
      location: definitions:
      let
        values = map ({ value, ... }: value) definitions;
      in
      if lib.any builtins.isList values then
        lib.concatMap lib.toList values
      else if lib.all (value: value == builtins.head values) values then
        builtins.head values
      else
        throw ''
          The directive `${lib.showOption location}' has several values, and systemd takes only one:
          ${lib.concatMapStringsSep "\n" (
            { file, value }: "- In `${toString file}': ${plain value}"
          ) definitions}
          Remove all but one, or use `lib.mkForce` for the one that is to win.'';
  };

  # One stays as it is written.
  together =
    location: definitions:
    let
      merged = lib.mergeDefinitions location directive definitions;
      values = map ({ value, ... }: value) definitions;
    in
    if builtins.length definitions == 1 then
      builtins.head values
    else
      # A conflict is named here, where it still has the places from which it comes.
      lib.mkMerge (if merged.isDefined then builtins.seq merged.mergedValue values else values);
in
lib.mkOptionType {
  name = "attribute set of directives";
  description = "attribute set of directives of systemd";
  check = builtins.isAttrs;
  merge =
    location: definitions:
    builtins.zipAttrsWith (name: together (location ++ [ name ])) (
      map (
        { file, value }:
        builtins.mapAttrs (_: value: {
          inherit file value;
        }) value
      ) definitions
    );
}

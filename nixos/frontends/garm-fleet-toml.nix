# A value as TOML: numbers, truth, texts, lists of them, sets as tables, and lists of sets as arrays of tables. A pure function
# of the value; what is null is left out. Texts are written as JSON has them, which TOML reads as the same.
{ lib }:

let
  inherit (builtins) isAttrs isList;

  isTables = value: isList value && value != [ ] && lib.all isAttrs value;
  isTable = value: isAttrs value || isTables value;
  key = name: if builtins.match "[A-Za-z0-9_-]+" name != null then name else builtins.toJSON name;
  path = lib.concatMapStringsSep "." key;
  scalar =
    value:
    if isList value then
      "[${lib.concatMapStringsSep ", " scalar value}]"
    else if value ? outPath then
      builtins.toJSON "${value}"
    else
      builtins.toJSON value;

  body =
    location: set:
    let
      given = lib.filterAttrs (_: value: value != null) set;
      plain = lib.filterAttrs (_: value: !isTable value) given;
      tables = lib.filterAttrs (_: isTable) given;
    in
    lib.concatStrings (lib.mapAttrsToList (name: value: "${key name} = ${scalar value}\n") plain)
    + lib.concatStrings (
      lib.mapAttrsToList (
        name: value:
        let
          here = location ++ [ name ];
        in
        if isList value then
          lib.concatMapStrings (one: "\n[[${path here}]]\n${body here one}") value
        else
          "\n[${path here}]\n${body here value}"
      ) tables
    );
in
set: lib.removePrefix "\n" (body [ ] set)

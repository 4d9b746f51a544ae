# The stand-in's option types: a check, and how several definitions become one.
{ lib }:

let
  inherit (builtins)
    concatMap
    isAttrs
    isBool
    isList
    isString
    ;

  valuesOf = map (definition: definition.value);

  mergeEqual =
    location: definitions:
    let
      values = lib.unique (valuesOf definitions);
    in
    if builtins.length values == 1 then
      builtins.head values
    else
      throw "The option `${lib.showOption location}' has conflicting definition values.";

  simple =
    name: check:
    lib.mkOptionType {
      inherit check name;
      merge = mergeEqual;
    };

  isStringLike = value: isString value || builtins.isPath value || value ? outPath;
in
rec {
  inherit (lib) mkOptionType;

  bool = simple "boolean" isBool;
  raw = simple "raw value" (_: true);
  str = simple "string" isString;
  strMatching =
    pattern:
    simple "string matching the pattern ${pattern}" (
      value: isString value && builtins.match pattern value != null
    );
  nonEmptyStr = simple "non-empty string" (value: isString value && value != "");
  lines = lib.mkOptionType {
    name = "strings concatenated with \"\\n\"";
    check = isString;
    merge = _: definitions: lib.concatStringsSep "\n" (valuesOf definitions);
  };
  int = simple "signed integer" builtins.isInt;
  ints = {
    positive = simple "positive integer" (value: builtins.isInt value && value > 0);
    unsigned = simple "unsigned integer" (value: builtins.isInt value && value >= 0);
    between =
      lowest: highest:
      simple "integer between ${toString lowest} and ${toString highest}" (
        value: builtins.isInt value && value >= lowest && value <= highest
      );
  };
  numbers =
    let
      isNumber = value: builtins.isInt value || builtins.isFloat value;
    in
    {
      nonnegative = simple "nonnegative number" (value: isNumber value && value >= 0);
      positive = simple "positive number" (value: isNumber value && value > 0);
    };
  port = ints.between 0 65535;
  path = simple "path" (value: isStringLike value && builtins.substring 0 1 (toString value) == "/");
  package = simple "package" (
    value: lib.isDerivation value || isStringLike value && lib.isStorePath value
  );
  enum = allowed: simple "one of ${builtins.toJSON allowed}" (value: builtins.elem value allowed);

  attrs = lib.mkOptionType {
    name = "attribute set";
    check = isAttrs;
    merge = _: definitions: builtins.foldl' (merged: set: merged // set) { } (valuesOf definitions);
  };

  nullOr =
    inner:
    lib.mkOptionType {
      name = "null or ${inner.name}";
      check = value: value == null || inner.check value;
      inherit (inner) getSubOptions;
      merge =
        location: definitions:
        if lib.all (value: value == null) (valuesOf definitions) then
          null
        else
          inner.merge location definitions;
    };

  # Of the first that fits the first definition: enough for types without overlap.
  either =
    first: second:
    lib.mkOptionType {
      name = "${first.name} or ${second.name}";
      check = value: first.check value || second.check value;
      merge =
        location: definitions:
        (if first.check (builtins.head definitions).value then first else second).merge location
          definitions;
    };

  coercedTo =
    from: coerce: to:
    lib.mkOptionType {
      name = "${to.name} or ${from.name} convertible to it";
      check = value: from.check value && to.check (coerce value) || to.check value;
      merge =
        location: definitions:
        to.merge location (
          map (
            definition:
            definition
            // {
              value = if from.check definition.value then coerce definition.value else definition.value;
            }
          ) definitions
        );
    };

  listOf =
    inner:
    lib.mkOptionType {
      name = "list of ${inner.name}";
      check = isList;
      merge =
        location: definitions:
        concatMap (
          definition:
          map (
            value:
            (lib.mergeDefinitions (location ++ [ "*" ]) inner [
              {
                inherit (definition) file;
                inherit value;
              }
            ]).mergedValue
          ) definition.value
        ) definitions;
    };

  nonEmptyListOf =
    inner:
    listOf inner
    // {
      name = "non-empty list of ${inner.name}";
      check = value: isList value && value != [ ];
    };

  attrsOf =
    inner:
    lib.mkOptionType {
      name = "attribute set of ${inner.name}";
      check = isAttrs;
      getSubOptions = prefix: inner.getSubOptions (prefix ++ [ "<name>" ]);
      merge =
        location: definitions:
        let
          # Each name once, however many there are.
          merged = builtins.zipAttrsWith (name: lib.mergeDefinitions (location ++ [ name ]) inner) (
            map (
              definition:
              builtins.mapAttrs (_: value: {
                inherit (definition) file;
                inherit value;
              }) definition.value
            ) definitions
          );
        in
        builtins.mapAttrs (_: entry: entry.mergedValue) (
          lib.filterAttrs (_: entry: entry.isDefined) merged
        );
    };

  submodule =
    module:
    lib.mkOptionType {
      name = "submodule";
      check = value: isAttrs value || builtins.isFunction value;
      getSubOptions =
        prefix:
        (lib.evalModules {
          modules = [ module ];
          specialArgs.name = "‹name›";
          inherit prefix;
        }).options;
      merge =
        location: definitions:
        (lib.evalModules {
          # As in nixpkgs, a set is what it defines, also where it has a key `config`.
          modules = [
            module
          ]
          ++ map (value: if isAttrs value then { config = value; } else value) (valuesOf definitions);
          specialArgs.name = lib.last location;
          prefix = location;
        }).config;
    };
}

# A small stand-in for the part of nixpkgs' `lib` that this module and its tests
# use, for machines that cannot reach nixpkgs. Written to be read, not to be
# complete: it knows no more than is needed, and the same tests pass with the
# real library, which is how we know that it tells the truth.
let
  inherit (builtins)
    attrNames
    concatMap
    elemAt
    filter
    genList
    length
    listToAttrs
    stringLength
    substring
    ;

  lists = rec {
    inherit (builtins)
      all
      any
      concatLists
      concatMap
      elem
      filter
      ;
    drop =
      count: list:
      genList (index: elemAt list (count + index)) (
        if count < length list then length list - count else 0
      );
    imap0 = f: list: genList (index: f index (elemAt list index)) (length list);
    last = list: elemAt list (length list - 1);
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: list: if condition then list else [ ];
    range = first: final: genList (index: first + index) (final - first + 1);
    subtractLists = unwanted: filter (entry: !builtins.elem entry unwanted);
    take = count: list: genList (elemAt list) (if count < length list then count else length list);
    toList = value: if builtins.isList value then value else [ value ];
    zipListsWith =
      f: first: second:
      genList (index: f (elemAt first index) (elemAt second index)) (
        if length first < length second then length first else length second
      );
    unique = builtins.foldl' (seen: entry: seen ++ optional (!builtins.elem entry seen) entry) [ ];
  };

  attributes = rec {
    inherit (builtins) zipAttrsWith;
    nameValuePair = name: value: { inherit name value; };
    optionalAttrs = condition: set: if condition then set else { };
    filterAttrs = keep: set: removeAttrs set (filter (name: !keep name set.${name}) (attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
    setAttrByPath =
      path: value: builtins.foldl' (inner: name: { ${name} = inner; }) value (reverse path);
    getAttrFromPath = path: set: builtins.foldl' (inner: name: inner.${name}) set path;
  };

  reverse = list: genList (index: elemAt list (length list - 1 - index)) (length list);

  strings = rec {
    inherit (builtins) concatStringsSep;
    concatStrings = concatStringsSep "";
    optionalString = condition: text: if condition then text else "";
    concatMapStrings = f: list: concatStrings (map f list);
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      stringLength suffix <= stringLength text
      && substring (stringLength text - stringLength suffix) (-1) text == suffix;
    hasInfix = infix: text: length (splitString infix text) > 1;
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    removeSuffix =
      suffix: text:
      if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
    splitString =
      separator: text: filter builtins.isString (builtins.split (escapeRegex separator) text);
    toLower =
      let
        letters = text: genList (index: substring index 1 text) (stringLength text);
      in
      builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
        letters "abcdefghijklmnopqrstuvwxyz"
      );
  };

  escapeRegex =
    let
      special = [
        "\\"
        "."
        "*"
        "+"
        "?"
        "("
        ")"
        "["
        "]"
        "{"
        "}"
        "^"
        "$"
        "|"
      ];
    in
    builtins.replaceStrings special (map (character: "\\${character}") special);

  numbers = {
    min = first: second: if first < second then first else second;
  };

  functions = {
    functionArgs = f: f.__functionArgs or (builtins.functionArgs f);
  };

  derivations = {
    isDerivation = value: value.type or null == "derivation";
    isStorePath = value: builtins.dirOf (toString value) == builtins.storeDir;
  };

  lib =
    lists
    // attributes
    // strings
    // numbers
    // functions
    // derivations
    // import ./modules.nix { inherit concatMap lib; }
    // {
      types = import ./types.nix { inherit lib; };
    };
in
lib

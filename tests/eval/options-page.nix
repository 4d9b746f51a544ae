# docs/options.md: every option of the module with its type, default, example and
# description, from the definitions alone. `./run --update` writes it.
{ lib }:

let
  inherit (builtins) attrNames isAttrs isList;

  host = import ./host.nix { inherit lib; } { };

  isOption = value: isAttrs value && value._type or null == "option";

  # All options below a set, and those of submodules after the one that holds them.
  flatten =
    location: tree:
    lib.concatMap (
      name:
      let
        here = location ++ [ name ];
        value = tree.${name};
      in
      if name == "_module" then
        [ ]
      else if !isOption value then
        flatten here value
      else if !(value.visible or true) then
        [ ]
      else
        [
          {
            inherit value;
            name = lib.concatStringsSep "." here;
          }
        ]
        ++ flatten here (below value.type)
    ) (attrNames tree);

  # What a submodule adds to the path is `<name>` for a set of them, and nothing for one.
  below =
    type:
    let
      inner = type.getSubOptions [ ];
    in
    if inner == { } then
      { }
    else if lib.hasPrefix "attribute set of" type.name then
      { "<name>" = inner; }
    else
      inner;

  # Nix as people write it.
  literal =
    indent: value:
    let
      deeper = indent + "  ";
      lines =
        open: close: entries:
        "${open}\n${lib.concatMapStrings (entry: "${deeper}${entry}\n") entries}${indent}${close}";
      short = entries: lib.concatStringsSep " " entries;
      items = map (literal deeper) value;
      key =
        name: if builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name != null then name else builtins.toJSON name;
      fields = lib.mapAttrsToList (name: inner: "${key name} = ${literal deeper inner};") value;
    in
    if isAttrs value && value._type or null == "literalExpression" then
      lib.concatStringsSep "\n${indent}" (lib.splitString "\n" (lib.removeSuffix "\n" value.text))
    else if isList value then
      if value == [ ] then "[ ]" else "[ ${short items} ]"
    else if isAttrs value then
      if value == { } then "{ }" else lines "{" "}" fields
    else
      builtins.toJSON value;

  # Roles of nixpkgs' manual are unknown to others who read Markdown.
  plain =
    text:
    builtins.replaceStrings
      [
        "{option}`"
        "{manpage}`"
        "{file}`"
        "{env}`"
      ]
      [
        "`"
        "`"
        "`"
        "`"
      ]
      (lib.removeSuffix "\n" text);

  fact =
    label: value:
    let
      text = literal "" value;
    in
    if lib.hasInfix "\n" text then
      "\n${label}:\n\n```nix\n${text}\n```\n"
    else
      "\n${label}: `${text}`\n";

  section =
    { name, value }:
    "\n## `${name}`\n\n"
    + plain (
      value.description
        or (throw "The option ${name} has no description: write one, or make it invisible.")
    )
    + "\n\nType: `${value.type.name}`\n"
    + (
      if value ? defaultText then
        fact "Default" value.defaultText
      else if value ? default then
        fact "Default" value.default
      else
        "\nIt has no default.\n"
    )
    + (if value ? example then fact "Example" value.example else "");

  anchor = name: builtins.replaceStrings [ "." "<" ">" ] [ "" "" "" ] (lib.toLower name);

  options = flatten [ "services" ] host.options.services;
in
''
  # Options

  Every option of the module, from its definitions: `tests/eval/run --update` writes this page. Options that nixpkgs'
  `services.github-runners` has, too, have the names, types and meaning of nixpkgs.

''
+ lib.concatMapStrings ({ name, ... }: "- [`${name}`](#${anchor name})\n") options
+ lib.concatMapStrings section options

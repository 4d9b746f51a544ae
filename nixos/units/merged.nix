# How systemd reads directives of a unit as NixOS merged them, which may come as
# texts, numbers, booleans or lists. A pure function over values.
{
  lib,
  # `users.users` of the host.
  users,
}:

# A unit, as an option's value.
{ serviceConfig, ... }:

let
  # Of an assignment that is repeated the last one counts, of a list everything
  # after the last empty one.
  textsOf =
    value:
    let
      texts = map toString (lib.filter (one: one != null) (lib.toList value));
    in
    if builtins.elem "" texts then
      builtins.foldl' (texts: text: if text == "" then [ ] else texts ++ [ text ]) [ ] texts
    else
      texts;
  # Each directive is read once, however often somebody asks.
  lists = builtins.mapAttrs (_: textsOf) serviceConfig;
  listOf = name: lists.${name} or [ ];
  textOf =
    name:
    let
      texts = listOf name;
    in
    if texts == [ ] then "" else lib.last texts;
  isOn =
    name:
    builtins.elem (lib.toLower (textOf name)) [
      "1"
      "on"
      "t"
      "true"
      "y"
      "yes"
    ];

  userName = textOf "User";
  isRoot = name: name == "root" || name == "0" || (users.${name}.uid or null) == 0;
in
{
  inherit
    isOn
    isRoot
    listOf
    textOf
    userName
    ;
  runsAsRoot = if userName == "" then !isOn "DynamicUser" else isRoot userName;
}

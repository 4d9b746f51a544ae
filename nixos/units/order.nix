# What this module says beside what a configuration says about the same unit. Its
# lists come first, as those of a module of NixOS do: where a module is imported
# decides it otherwise. Its defaults yield to anybody's.
{ lib }:

let
  # Of a value that may have conditions and priorities. An order of its own stays,
  # and what a condition hides is not looked at.
  place =
    position: value:
    if builtins.isList value then
      lib.mkOrder position value
    else if value ? _type then
      {
        "if" = value // {
          content = place position value.content;
        };
        override = value // {
          content = place position value.content;
        };
        merge = value // {
          contents = map (place position) value.contents;
        };
      }
      .${value._type} or value
    else
      value;
in
{
  # Right before what a configuration says without an order.
  ahead = builtins.mapAttrs (_: place 999);
  # Right before what it says to come first.
  atTheTop = builtins.mapAttrs (_: place 499);

  # For what NixOS and its module of runners leave unsaid, where a configuration
  # may have a default, too.
  yielding = lib.mkOverride 1400;
}

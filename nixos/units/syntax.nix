# How texts are written into units so that systemd reads them as they were meant.
let
  # One entry of a directive that takes several, separated by spaces.
  entry =
    text: if builtins.match "[A-Za-z0-9_./%@,+=-]+" text != null then text else builtins.toJSON text;
in
{
  inherit entry;

  # One argument of a command line. systemd expands variables there, also inside
  # quotes.
  argument = text: entry (builtins.replaceStrings [ "$" ] [ "$$" ] text);

  # A text as one part of a unit's name, where a dash separates parts; what else is
  # special there cannot be in an instance's name.
  namePart = builtins.replaceStrings [ "-" ] [ "\\x2d" ];

  # A text without meaning where systemd expands specifiers such as `%S`.
  literal = builtins.replaceStrings [ "%" ] [ "%%" ];
}

# A path as the list of its components, with systemd's directory specifiers
# expanded, because units accept them. A pure function.
{ lib }:

let
  # As the system manager expands them; see systemd.unit(5).
  specifiers = {
    "%C" = "/var/cache";
    "%E" = "/etc";
    "%L" = "/var/log";
    "%S" = "/var/lib";
    "%T" = "/tmp";
    "%V" = "/var/tmp";
    "%h" = "/root";
    "%t" = "/run";
  };
  expand = builtins.replaceStrings (builtins.attrNames specifiers) (builtins.attrValues specifiers);
  # Compared and never written anywhere, so that they need no context.
  literalComponents =
    path:
    lib.filter (component: component != "" && component != ".") (
      lib.filter builtins.isString (builtins.split "/+" path)
    );
in
{
  inherit expand literalComponents;

  components = path: literalComponents (expand path);
}

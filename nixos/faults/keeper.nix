# The runner in whose state, logs or runtime directory a path lies, or null. A pure function.
{
  lib,
  # Whether there is an instance of a name.
  isInstance,
}:

path:

let
  inherit (import ./path-components.nix { inherit lib; }) literalComponents;
  parts = literalComponents path;
  below = map (base: lib.removePrefix base "/${lib.concatStringsSep "/" parts}") (
    lib.filter (base: lib.hasPrefix base "/${lib.concatStringsSep "/" parts}") (
      map (base: "${base}/github-runner/") (import ./directories.nix).bases
    )
  );
  name = builtins.head (lib.splitString "/" (builtins.head below));
in
if below != [ ] && isInstance name then name else null

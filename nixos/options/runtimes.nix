# A runner's package with the versions of Node.js that were asked for. A package is
# built anew only if it has to be: nobody offers that build for download.
{ lib }:

asked: package:

let
  evaluates = candidate: (builtins.tryEval candidate.outPath).success;
  builtWith = nodeRuntimes: package.override { inherit nodeRuntimes; };

  # Whoever overrode the package before left the choice to this option; so it is on nixpkgs.
  plain = package.override (
    given: lib.optionalAttrs (given ? nodeRuntimes) { nodeRuntimes = asked; }
  );
  # Every release that has the argument comes with the newest one.
  hasNewest = asked == [ "node24" ];
  all = builtWith [
    "node20"
    "node24"
  ];
  hasAll = evaluates all && all.outPath == plain.outPath;
  fits = evaluates plain && (hasNewest || hasAll);
in
# The argument is younger than the package and missing from many replacements of it;
# those run what they were built with.
if !(lib.functionArgs (package.override or (_: package))) ? nodeRuntimes then
  package
else if !fits && evaluates (builtWith asked) then
  builtWith asked
else
  plain

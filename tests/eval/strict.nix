# Packages with which whoever asks for the path of a manifest needs its text, as in
# a NixOS, and whoever knows the path knows the text.
{ lib, pkgs }:

let
  mark = "/manifest";
in
{
  pkgs = pkgs // {
    writeTextFile =
      arguments:
      pkgs.writeTextFile arguments
      # What a script is called says how it is run, and a program is in PATH.
      // lib.optionalAttrs (!lib.hasSuffix ".sh" arguments.name && !arguments ? destination) {
        outPath = "${mark}${arguments.text}";
      };
  };

  # Of a host with these packages: instance → its manifest.
  manifestsOf =
    host:
    builtins.listToAttrs (
      map (
        { instance, manifest, ... }:
        lib.nameValuePair instance (builtins.fromJSON (lib.removePrefix mark manifest))
      ) (builtins.fromJSON host.etc."github-runners/fleet.json".source.text).instances
    );
}

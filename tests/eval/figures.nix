# What the module makes of many runners, every unit text and every complaint included, as a
# number that cannot be had without them; `figures` measures what that costs.
{
  # A checkout of nixpkgs, whose library is taken then; without it the stand-in is.
  nixpkgs ? null,
  # "count": one entry; "entries": one for each runner; "nixpkgs": the same with
  # the module of nixpkgs.
  way,
  # How many runners.
  count,
}:

let
  lib = import (if nixpkgs == null then ./stand-in else nixpkgs + "/lib");
  runner = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/run/secrets/token";
  };
  entry = number: {
    name = "builder-${toString number}";
    value = runner;
  };
  runners =
    if way == "count" then
      {
        builder = runner // {
          inherit count;
        };
      }
    else
      builtins.listToAttrs (builtins.genList entry count);

  packages = import ./packages.nix { };
  # The texts that end in the store, which NixOS has to have before it knows their paths.
  stored = text: package: builtins.seq (builtins.hashString "sha256" text) package;
  host = import ./host.nix { inherit lib; } (
    {
      inherit runners;
      pkgs = packages // {
        writeText = name: text: stored text (packages.writeText name text);
        writeTextFile = arguments: stored arguments.text (packages.writeTextFile arguments);
        # What the scripts of nixpkgs' module are made of.
        bash = packages.package "bash";
        github-runner = packages.github-runner // {
          override = _: packages.github-runner;
        };
        diffutils = packages.package "diffutils";
        writeShellScript = name: text: stored text (packages.package name);
      };
    }
    // lib.optionalAttrs (way == "nixpkgs") {
      module = nixpkgs + "/nixos/modules/services/continuous-integration/github-runners.nix";
    }
  );
in
{
  units = builtins.length (builtins.attrNames host.unitTexts);
  letters = builtins.stringLength (
    toString (builtins.attrValues host.unitTexts ++ host.failures ++ host.warnings)
  );
}

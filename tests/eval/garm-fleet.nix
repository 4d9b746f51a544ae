# Renders what Incus of a host needs for a fleet of GARM for machines without Nix, so that tests on a real Incus run exactly what
# the module would have put there:
#
#   nix-instantiate --eval --strict --json tests/eval/garm-fleet.nix --argstr optionsFile /path/options.json \
#     --argstr programs /usr --argstr directory /etc/garm-fleet
#
# The file holds values of `services.garm-fleet` over those of garm-fleet-options.nix, and images are those of it alone. Gives `preseed`, the
# table `guard` of nftables, and `files` and `units` with path or name and text. Fails with every message if the module would refuse the options.
{
  lib ? import ./stand-in,
  optionsFile ? null,
  # Directory with a `bin` of all programs, and where units find their files.
  programs ? "/usr",
  directory ? "/etc/garm-fleet",
}:

let
  names = [
    "garm-config.toml"
    "garm-fleet-config.sh"
    "garm-fleet-incus.json"
    "garm-fleet-incus.sh"
    "garm-fleet-listener.sh"
    "garm-fleet-of-pass.json"
    "garm-fleet-ready.sh"
    "garm-provider-incus.toml"
  ];
  pkgs = import ./packages.nix {
    paths =
      builtins.mapAttrs (_: _: programs) (
        lib.filterAttrs (_: package: package.type or null == "derivation") (import ./packages.nix { })
      )
      // {
        garm = programs;
        garm-provider-incus-lxd = programs;
      };
    files = builtins.listToAttrs (
      map (name: {
        inherit name;
        value = "${directory}/${name}";
      }) names
    );
  };
  rendered = import ./host.nix { inherit lib; } {
    inherit pkgs;
    extra.services.garm-fleet =
      import ./garm-fleet-options.nix { inherit pkgs; }
      // {
        runnerImage.enable = false;
        scaleSets = { };
      }
      // (if optionsFile == null then { } else builtins.fromJSON (builtins.readFile optionsFile));
  };
  parts = import ../../nixos/frontends/garm-fleet-parts.nix {
    inherit lib pkgs;
    options = rendered.config.services.garm-fleet;
    client = pkgs.incus;
    runnerctl = pkgs.github-runnerctl;
    inherit (pkgs) systemd;
    textfileDirectory = null;
  };
in
if rendered.failures != [ ] then
  throw (lib.concatStringsSep "\n" rendered.failures)
else
  {
    inherit (parts.incus) preseed;
    guard = "table ${parts.incus.guard.family} garm-fleet {\n${parts.incus.guard.content}}\n";
    files = map (file: {
      path = toString file;
      inherit (file) text;
    }) (parts.incusFiles ++ parts.garmFiles);
    units =
      map
        (name: {
          inherit name;
          text = rendered.unitTexts.${name};
        })
        [
          "garm-fleet-incus.service"
          "garm-fleet.service"
          "garm.service"
        ];
  }

# A fleet of GARM, as the units and files of this host. Decides nothing: that is what the pure functions imported here are
# for. Off by default, and then there is nothing of it.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:

let
  fleet = config.services.garm-fleet;
  parts = import ./garm-fleet-parts.nix {
    inherit lib pkgs;
    inherit (config.services.github-runnerctl.metrics) textfileDirectory;
    options = fleet;
    runnerctl = config.services.github-runnerctl.package;
    client = config.virtualisation.incus.clientPackage or pkgs.incus;
    systemd = config.systemd.package;
  };
  # Where nixpkgs has a module for GARM, that one runs it.
  hasModule = options.services ? garm;
  ifHere = lib.mkIf (fleet.enable && fleet.garm.enable);
  ifIncus = lib.mkIf (fleet.enable && fleet.incus.enable);
  ifNginx = lib.mkIf (fleet.enable && fleet.garm.enable && fleet.nginx.enable);
  # Stronger than what NixOS has where nobody says anything, and weaker than whatever somebody says.
  beforeDefaults = lib.mkOverride 999;
in
{
  imports = [ ../options/garm-fleet.nix ];

  config = lib.mkMerge [
    (lib.mkIf fleet.enable {
      assertions = import ../faults/garm-fleet.nix {
        inherit lib;
        inherit (parts) guests;
        hasPackage = fleet.garm.package != null || pkgs ? garm;
        hasNftables = config.networking.nftables.enable;
      } fleet;

      # What pools have unless they say otherwise.
      services.garm-fleet.incus.flavors.runner = { };

      # For root's commands.
      environment.etc = ifHere (
        {
          "github-runners/garm-fleet.json".source = parts.declaration;
        }
        // lib.mapAttrs' (
          name: file: lib.nameValuePair "garm/provider-${name}.toml" { source = file; }
        ) parts.providerFiles
      );

      systemd.services = lib.mkMerge [
        (ifHere {
          garm = if hasModule then parts.units.beside else parts.units.garm;
          garm-fleet = parts.units.pass;
        })
        (ifIncus { garm-fleet-incus = parts.units.incus; })
      ];
      systemd.timers = lib.mkMerge [
        (ifHere { garm-fleet = parts.units.passTimer; })
        (ifIncus { garm-fleet-incus = parts.units.incusTimer; })
      ];

      virtualisation.incus = ifIncus {
        enable = true;
        inherit (parts.incus) preseed;
      };
      networking.nftables = ifIncus {
        enable = lib.mkDefault true;
        tables.garm-fleet = parts.incus.guard;
      };
      networking.firewall.interfaces = ifIncus {
        ${fleet.incus.network.name} = parts.incus.ports;
      };
      # nginx begins before there is a bridge.
      boot.kernel.sysctl = ifNginx (
        lib.optionalAttrs (!parts.guests.tls) { "net.ipv4.ip_nonlocal_bind" = beforeDefaults 1; }
      );
      services.nginx = ifNginx (
        import ./garm-fleet-nginx.nix { inherit lib; } {
          options = fleet;
          inherit (parts) guests;
        }
      );
    })
    (lib.optionalAttrs hasModule {
      services.garm = ifHere {
        enable = true;
        package = lib.mkIf (fleet.garm.package != null) fleet.garm.package;
        settings = parts.settingsOfModule;
      };
    })
  ];
}

# Machines for jobs of GitLab, as the units and files of this host. Decides nothing: that is
# what the pure functions imported here are for. Off by default, and then there is nothing of it.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  options = config.services.gitlab-nspawn;
  inherit (config.services.ci-machines) images;

  units = import ../machines/units.nix {
    inherit lib;
    inherit (options) package;
    # nspawn is among what NixOS gives to every unit.
    path = [
      pkgs.iproute2
      pkgs.nftables
    ];
  } options;

  settings = pkgs.writeTextFile {
    name = "gitlab-nspawn-settings.json";
    text = builtins.toJSON (
      {
        machines = import ../machines/settings.nix { inherit lib; } { inherit images options; };
        inherit (options) grace;
      }
      // lib.optionalAttrs (options.defaultImage != null) { inherit (options) defaultImage; }
    );
    # By the program that will read it. A cross build cannot run it; there the first job's log
    # has the same faults.
    checkPhase =
      if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
        ''${options.package}/bin/gitlab-nspawn-executor config --settings "$target" > /dev/null''
      else
        "";
  };

  # Stronger than what NixOS has where nobody says anything, and weaker than whatever somebody says.
  beforeDefaults = lib.mkOverride 999;

  isPrivate = options.network.mode == "private";
  # The host's ends of private networks, whose addresses are the supervisor's.
  interfaces = "glnspawn*";
in
{
  imports = [ ../options/gitlab.nix ];

  config = lib.mkIf options.enable {
    assertions = import ../faults/machines.nix {
      inherit lib;
      hasNix = config.nix.enable;
      users = config.users.users;
    } { inherit images options; };

    environment.etc."gitlab-nspawn/settings.json".source = settings;
    # Where gitlab-runner finds it under a path that stays.
    environment.systemPackages = [ options.package ];

    systemd.sockets.gitlab-nspawn = units.socket;
    systemd.services = {
      "gitlab-nspawn@" = units.service;
    }
    // lib.optionalAttrs config.services.gitlab-runner.enable {
      gitlab-runner.serviceConfig.SupplementaryGroups = [ "gitlab-nspawn" ];
    };
    systemd.slices.gitlab-nspawn = units.slice;
    systemd.tmpfiles.rules = units.tmpfilesRules;
    boot.kernel.sysctl = builtins.mapAttrs (_: beforeDefaults) (
      units.sysctl
      # The same as `net.ipv4.ip_forward`, by the name under which NixOS turns it off by itself.
      // lib.optionalAttrs isPrivate { "net.ipv4.conf.all.forwarding" = true; }
    );
    users.groups.gitlab-nspawn = { };

    # Who looks after interfaces of the host must leave these alone.
    networking.dhcpcd.denyInterfaces = lib.optional isPrivate interfaces;
    networking.networkmanager.unmanaged = lib.optional isPrivate "interface-name:${interfaces}";
  };
}

# Runners on demand, as the units and files of this host. Decides nothing: that is what the functions imported here
# are for. Off by default, and then there is nothing of it.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  options = config.services.github-runner-on-demand;
  parts = import ./on-demand-parts.nix { inherit config lib pkgs; };
  inherit (parts) instance units;
  slice = import ../units/slice.nix { inherit lib; };
in
{
  imports = [ ../options/on-demand.nix ];

  config = lib.mkIf options.enable {
    # For operators, too.
    environment.etc."github-runner-on-demand/settings.json".source = parts.settings;

    systemd.services = {
      github-runner-door = units.door.service options;
      github-runner-on-demand = units.desk.service {
        inherit (config.services.github-runnerctl.metrics) textfileDirectory;
        # With other settings it is another unit, so that a switch restarts it.
        settings = "${parts.settings}";
      };
      "github-runner-broker-${instance}@" = parts.broker.service;
    }
    // parts.orders;
    systemd.sockets = {
      github-runner-door = units.door.socket options;
      github-runner-on-demand = units.desk.socket;
      "github-runner-broker-${instance}" = parts.broker.socket;
    };
    systemd.timers.github-runner-on-demand = units.desk.timer;
    systemd.slices = lib.mapAttrs' (
      _: { instance, runner, ... }: lib.nameValuePair (slice.name instance) (slice.unit instance runner)
    ) parts.local;

    users.users.${units.user} = {
      isSystemUser = true;
      group = units.user;
    };
    users.groups.${units.user} = { };
  };
}

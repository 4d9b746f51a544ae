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

  expand = import ../instances.nix {
    inherit lib;
    passes = config.services.github-runnerctl.reconcile.enable;
  };
  instances = lib.zipAttrsWith (_: builtins.head) (
    lib.mapAttrsToList (entry: runner: expand entry runner config.networking.hostName) (
      lib.filterAttrs (_: runner: runner.enable) config.services.github-runners
    )
  );
  # A runner with units of these names is refused. Two definitions of one unit would be a conflict before that.
  isFree =
    !lib.any (name: instances ? ${name}) (
      [
        "door"
        instance
      ]
      ++ lib.concatMap (class: [
        "${instance}-${class}"
        "${instance}-cloud-${class}"
      ]) (builtins.attrNames options.classes)
    );
in
{
  imports = [ ../options/on-demand.nix ];

  config = lib.mkIf options.enable {
    assertions =
      import ../faults/on-demand.nix {
        inherit instances lib;
        inherit (config.networking) hostName;
        inherit (config.services.ci-machines) images;
        inherit (parts) rootOfOrders;
        rootOf = if isFree then parts.rootOf else _: parts.rootOfOrders;
        brokerVariables = import ../units/broker-variables.nix;
        keeperOf = import ../faults/keeper.nix {
          inherit lib;
          isInstance = name: instances ? ${name};
        };
      } options
      ++ map (message: {
        assertion = false;
        inherit message;
      }) (lib.optionals isFree parts.refused);
    warnings =
      lib.optionals isFree parts.warnings
      ++ import ../faults/on-demand-role.nix { inherit instances lib; } options.classes;

    # For operators, too.
    environment.etc."github-runner-on-demand/settings.json".source = parts.settings;

    systemd.services = lib.mkIf isFree (
      {
        github-runner-door = units.door.service options;
        github-runner-on-demand = units.desk.service {
          inherit (config.services.github-runnerctl.metrics) textfileDirectory;
          # With other settings it is another unit, so that a switch restarts it.
          settings = "${parts.settings}";
        };
        "github-runner-broker-${instance}@" = parts.broker.service;
      }
      // parts.orders
      // parts.cloudServices
    );
    systemd.sockets = lib.mkIf isFree (
      {
        github-runner-door = units.door.socket options;
        github-runner-on-demand = units.desk.socket;
        "github-runner-broker-${instance}" = parts.broker.socket;
      }
      // parts.cloudSockets
    );
    systemd.timers.github-runner-on-demand = units.desk.timer;
    systemd.slices = lib.mapAttrs' (
      _: { instance, runner }: lib.nameValuePair (slice.name instance) (slice.unit instance runner)
    ) parts.local;

    users.users.${units.user} = {
      isSystemUser = true;
      group = units.user;
    };
    users.groups.${units.user} = { };

    services.nginx = lib.mkIf options.nginx.enable (
      import ./on-demand-nginx.nix { inherit lib; } {
        inherit options;
        socket = units.publicSocket;
      }
    );

    # Its supervisor makes the machines.
    services.gitlab-nspawn.enable = lib.mkIf (lib.any (class: class.nspawn != null) (
      builtins.attrValues options.classes
    )) (lib.mkDefault true);
  };
}

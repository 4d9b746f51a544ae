# Units of runners on demand: the door, the desk, and orders of this host.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit (builtins) attrNames elem readFile;
  inherit
    (import ../orders.nix {
      inherit
        host
        lib
        pkgs
        ;
    })
    beside
    class
    everything
    plain
    ;

  one = plain { };
  door = one.services.github-runner-door;
  desk = one.services.github-runner-on-demand;
  order = one.services."github-runner-on-demand-host@";
  ordinary =
    (host {
      runners.one = runner // {
        ephemeral = true;
        tokenType = "access";
      };
    }).services.github-runner-one;

  golden = unit: {
    name = "the unit ${unit} is the golden one";
    value = {
      expected = readFile (../golden + "/${unit}");
      actual = one.unitTexts.${unit};
    };
  };

in
builtins.listToAttrs (
  map golden [
    "github-runner-door.service"
    "github-runner-door.socket"
    "github-runner-on-demand.service"
    "github-runner-on-demand.socket"
    "github-runner-on-demand.timer"
    "github-runner-on-demand-host@.service"
  ]
)
// {
  "the door has no network, no secret and no right" = {
    expected = {
      PrivateNetwork = true;
      RestrictAddressFamilies = [ "AF_UNIX" ];
      CapabilityBoundingSet = [ "" ];
      ProtectSystem = "strict";
      User = "github-runner-door";
      secrets = false;
      writable = [ ];
    };
    actual = {
      inherit (door.serviceConfig)
        CapabilityBoundingSet
        PrivateNetwork
        ProtectSystem
        RestrictAddressFamilies
        User
        ;
      secrets = lib.hasInfix "/run/secrets" one.unitTexts."github-runner-door.service";
      writable = lib.filter (name: door.serviceConfig ? ${name}) [
        "LoadCredential"
        "ReadWritePaths"
        "RuntimeDirectory"
        "StateDirectory"
      ];
    };
  };

  "only the proxy's group reaches the door, and only the door reaches the desk" =
    let
      groups = host: [
        host.sockets.github-runner-door.socketConfig.SocketGroup
        host.sockets.github-runner-on-demand.socketConfig.SocketGroup
      ];
    in
    {
      expected = {
        modes = [
          "0660"
          "0660"
        ];
        alone = [
          "root"
          "github-runner-door"
        ];
        nginx = [
          "nginx"
          "github-runner-door"
        ];
        other = [
          "caddy"
          "github-runner-door"
        ];
      };
      actual = {
        modes = map (name: one.sockets.${name}.socketConfig.SocketMode) [
          "github-runner-door"
          "github-runner-on-demand"
        ];
        alone = groups one;
        nginx = groups everything;
        other = groups (plain {
          door.group = "caddy";
        });
      };
    };

  "the desk has no network, and its socket outlives it" = {
    expected = {
      PrivateNetwork = true;
      RestrictAddressFamilies = [ "AF_UNIX" ];
      RuntimeDirectoryPreserve = true;
      requires = [ "github-runner-on-demand.socket" ];
    };
    actual = {
      inherit (desk.serviceConfig) PrivateNetwork RestrictAddressFamilies RuntimeDirectoryPreserve;
      inherit (desk) requires;
    };
  };

  "other settings are another desk, so that a switch restarts it" =
    let
      strict = import ../strict.nix { inherit lib pkgs; };
      of =
        changes:
        (host {
          inherit (strict) pkgs;
          extra.services.github-runner-on-demand = {
            enable = true;
            address = "https://ci.example.org";
            url = "https://github.com/octo-org";
            tokenFile = "/run/secrets/token";
          }
          // changes;
        }).services.github-runner-on-demand.serviceConfig.ExecStart;
    in
    {
      expected = true;
      actual = of { } != of { limits.open = 1; };
    };

  "the door is told the prefixes" = {
    expected = [
      "--prefix od"
      "--prefix od --compatible-prefix rr_runner_"
      "--prefix ci"
    ];
    actual =
      map
        (
          host:
          lib.last (lib.splitString "desk.sock " host.services.github-runner-door.serviceConfig.ExecStart)
        )
        [
          one
          everything
          (plain { prefix = "ci"; })
        ];
  };

  "other programs are used if they are replaced" =
    let
      result = beside {
        services.github-runnerctl.package = pkgs.package "patched-runnerctl";
        services.github-runner-on-demand = {
          door.package = pkgs.package "patched-door";
          tokenFile = "/run/secrets/token";
        };
      };
      programOf =
        unit: builtins.head (lib.splitString " " result.services.${unit}.serviceConfig.ExecStart);
    in
    {
      expected = [
        "${pkgs.package "patched-door"}/bin/github-runner-door"
        "${pkgs.package "patched-runnerctl"}/bin/github-runnerctl"
        "${pkgs.package "patched-runnerctl"}/bin/github-runnerctl"
      ];
      actual = map programOf [
        "github-runner-door"
        "github-runner-on-demand"
        "github-runner-broker-on-demand@"
      ];
    };

  "an order's unit has the sandbox of a runner, and sees no other order" =
    let
      inherit (order) serviceConfig;
      own = [
        "ExecStartPre"
        "ExecStop"
        "ExecStopPost"
        "Restart"
        "RestartSec"
        "RestartForceExitStatus"
        "RestartPreventExitStatus"
        "RuntimeDirectory"
        "Slice"
        "StateDirectory"
        "StateDirectoryMode"
        "WorkingDirectory"
      ];
      lists = [
        "InaccessiblePaths"
        "TemporaryFileSystem"
      ];
    in
    {
      expected = {
        changed = [ ];
        opened = [ ];
        only = [
          "-/run/github-runner-on-demand"
          "-/var/lib/github-runner-on-demand"
          "%t/github-runner-order:ro"
        ];
        PrivatePIDs = [ true ];
        BindPaths = [ "%t/github-runner-order/%i" ];
      };
      actual = {
        changed = lib.filter (
          name: !elem name (own ++ lists) && ordinary.serviceConfig.${name} != serviceConfig.${name} or null
        ) (attrNames ordinary.serviceConfig);
        opened = lib.concatMap (
          name: lib.subtractLists serviceConfig.${name} ordinary.serviceConfig.${name}
        ) lists;
        only = lib.concatMap (
          name: lib.subtractLists ordinary.serviceConfig.${name} serviceConfig.${name}
        ) lists;
        PrivatePIDs = lib.toList serviceConfig.PrivatePIDs;
        inherit (serviceConfig) BindPaths;
      };
    };

  "an order's unit ends with its time, is started by nobody else, and never again" = {
    expected = {
      RuntimeMaxSec = 5400;
      Restart = "no";
      wantedBy = [ ];
      restartIfChanged = false;
      StateDirectory = false;
      ExecStop = false;
    };
    actual =
      let
        unit = (class "host" { ttl = "90min"; }).services."github-runner-on-demand-host@";
      in
      {
        inherit (unit.serviceConfig) Restart RuntimeMaxSec;
        inherit (unit) restartIfChanged wantedBy;
        StateDirectory = unit.serviceConfig ? StateDirectory;
        ExecStop = unit.serviceConfig ? ExecStop;
      };
  };

  "runners of a class have its packages, variables and limits" =
    let
      result = class "host" {
        local = {
          extraPackages = [ pkgs.jq ];
          extraEnvironment.CI_CACHE = "/var/cache/ci";
          serviceOverrides.MemoryMax = "4G";
          resources = {
            cpuWeight = 20;
            pool.memoryMax = "48G";
          };
        };
      };
      unit = result.services."github-runner-on-demand-host@";
    in
    {
      expected = {
        packages = true;
        CI_CACHE = "/var/cache/ci";
        MemoryMax = "4G";
        CPUWeight = 20;
        pool = "48G";
        failures = [ ];
      };
      actual = {
        packages = elem pkgs.jq unit.path;
        inherit (unit.environment) CI_CACHE;
        inherit (unit.serviceConfig) MemoryMax;
        CPUWeight = lib.last (lib.toList unit.serviceConfig.CPUWeight);
        pool = result.slices."github-runners-on\\x2ddemand\\x2dhost".sliceConfig.MemoryMax;
        inherit (result) failures;
      };
    };
}

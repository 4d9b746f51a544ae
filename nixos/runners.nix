# Turns every enabled entry of `services.github-runners` into its assertions, and
# every runner that it makes into its units and the directories it needs. Decides
# nothing about one runner: that is what the pure functions imported here are for.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  entries = lib.filterAttrs (_: runner: runner.enable) config.services.github-runners;
  makesPasses = config.services.github-runnerctl.reconcile.enable;
  expand = import ./instances.nix {
    inherit lib;
    passes = makesPasses;
  };
  instancesOf = builtins.mapAttrs (
    entry: runner: expand entry runner config.networking.hostName
  ) entries;
  instances = lib.zipAttrsWith (_: builtins.head) (builtins.attrValues instancesOf);
  # A registration token is no API credential, so there is nothing to guard.
  brokered = lib.filterAttrs (_: runner: runner.tokenType != "registration") instances;

  helper = config.services.github-runnerctl.helper.package;
  runnerctl = config.services.github-runnerctl.package;

  # Variables by which programs of this host find their proxy.
  proxy = config.networking.proxy.envVars;
  # A runner's unit as the whole configuration makes it.
  finalOf = instance: config.systemd.services."github-runner-${instance}";
  waysOf = import ./units/ways.nix { inherit lib; };
  ways = builtins.mapAttrs (instance: _: waysOf (finalOf instance)) instances;

  manifestOf = import ./manifest.nix { inherit helper pkgs; };
  unitOf = import ./units/runner.nix {
    inherit
      helper
      kept
      ledger
      lib
      proxy
      sockets
      ;
    packages = import ./units/programs.nix {
      inherit pkgs;
      nix = config.nix.package;
    };
  };
  profileOf = import ./profiles {
    inherit lib pkgs;
    inherit (config.users) groups;
  };
  nixProfiles = import ./profiles/nix.nix { inherit lib; };
  toolchains = import ./profiles/toolchains.nix { inherit lib pkgs; } entries;
  profiles = builtins.mapAttrs profileOf instances;
  # The engines of containers that are units beside their runners, by instance.
  engineOf = import ./units/containers.nix { inherit lib pkgs; };
  engines = builtins.mapAttrs (
    instance: runner:
    engineOf.units {
      inherit instance runner;
      final = finalOf instance;
      inherit (ways.${instance}) environment;
    }
  ) (lib.filterAttrs (_: runner: runner.containers.engine == "podman") instances);
  engineStem = (import ./units/containers-names.nix).stem;
  brokerOf = import ./units/broker.nix {
    inherit
      kept
      ledger
      lib
      runnerctl
      sockets
      ;
  };
  reconcile = import ./units/reconcile.nix {
    inherit
      ledger
      lib
      pkgs
      runnerctl
      sockets
      ;
    inherit (config.services.github-runnerctl) metrics reconcile;
    # Of the host's variables those that a broker gets from a unit.
    proxy =
      (waysOf {
        environment = proxy;
        serviceConfig = { };
        unitConfig = { };
      }).environment;
    systemd = config.systemd.package;
  } instances manifests profiles;
  slice = import ./units/slice.nix { inherit lib; };
  digestOf = import ./units/digest.nix { inherit helper lib; };
  assertionsOf = import ./faults/entry.nix {
    inherit lib;
    inherit (config.networking) hostName;
    environmentOf = instance: (finalOf instance).environment // ways.${instance}.assignments;
    isInstance = name: instances ? ${name};
    inherit secrets;
  };
  secrets = lib.filter (file: file != "") (
    builtins.attrNames (
      builtins.groupBy (runner: builtins.unsafeDiscardStringContext (import ./units/secret.nix runner)) (
        builtins.attrValues instances
      )
    )
  );

  # As everybody made them, also beside this module, and how systemd reads them.
  mergedOf = import ./units/merged.nix {
    inherit lib;
    users = config.users.users;
  };
  userOf = import ./units/user-name.nix;
  unitsOfAll = builtins.mapAttrs (instance: runner: rec {
    inherit runner;
    unit = finalOf instance;
    merged = mergedOf unit;
    user = userOf "github-runner-${instance}" merged;
  }) instances;
  # One that is called like the pass is refused for that.
  units = removeAttrs unitsOfAll [ "reconcile" ];
  promisesOf = import ./faults/promises.nix {
    inherit
      kept
      ledger
      lib
      sockets
      ;
  };
  profileFaultsOf = import ./faults/profile.nix {
    inherit lib secrets;
    inherit (config.users) users;
    hasNix = config.nix.enable;
    hasNixLd = config.programs.nix-ld.enable;
    # What ends a collection that takes longer, as its unit says it.
    collectionLimits = lib.filterAttrs (name: _: name == "TimeoutSec" || name == "TimeoutStartSec") (
      config.systemd.services.nix-gc.serviceConfig or { }
    );
    workDirs = lib.concatMap ({ workDir, ... }: lib.optional (workDir != null) workDir) (
      builtins.attrValues instances
    );
    homes = map accounts.homeOf (
      builtins.attrNames (lib.filterAttrs (_: runner: runner.createUser) entries)
    );
    caches = lib.concatMap (
      { runner, user, ... }:
      lib.optional (runner.cacheDirectory != null && user != null) {
        path = runner.cacheDirectory;
        inherit user;
      }
    ) (builtins.attrValues units);
  };
  accounts = import ./profiles/user.nix { inherit lib; };
  promises = lib.concatMap (unit: [
    (promisesOf (removeAttrs unit [ "user" ]))
    (profileFaultsOf unit)
  ]) (builtins.attrValues units);
  sharedUsers = import ./faults/shared-users.nix { inherit lib; } units;
  # Several runners of an entry have the same to say.
  every = kind: lib.unique (lib.concatMap (one: one.${kind}) (promises ++ [ sharedUsers ]));

  # With what else the unit consists of, so that whatever changes makes another
  # manifest, and who reads its path knows of what it is.
  manifests = builtins.mapAttrs (
    instance: runner:
    manifestOf instance (
      runner
      // {
        # What the host has in common is found again without a unit.
        brokerEnvironment = lib.filterAttrs (
          name: value: proxy.${name} or null != value
        ) ways.${instance}.environment;
        # Also those that somebody added beside this module. Nothing that the merge looks
        # at on the way to them may depend on the manifest.
        supplementaryGroups = lib.concatMap (lib.splitString " ") (
          unitsOfAll.${instance}.merged.listOf "SupplementaryGroups"
        );
        unit = digestOf runner (finalOf instance) (
          lib.optional (engines ? ${instance}) config.systemd.services.${engineStem instance}
        );
      }
    )
  ) instances;
  brokers = builtins.mapAttrs (
    instance: runner:
    brokerOf {
      inherit instance runner;
      manifest = manifests.${instance};
      ways = ways.${instance};
    }
  ) brokered;

  ledger = "/var/lib/github-runner-registrations";
  sockets = "/run/github-runner-broker";
  kept = "/run/github-runner-broker-kept";
in
{
  # Of each entry only what fails: the others would cost as much as its options.
  assertions =
    lib.filter ({ assertion, ... }: !assertion) (
      lib.concatLists (
        lib.mapAttrsToList (entry: runner: assertionsOf entry runner instancesOf.${entry}) entries
      )
    )
    ++ import ./faults/collisions.nix {
      inherit lib;
      inherit (config.networking) hostName;
    } instancesOf
    ++ map (message: {
      assertion = false;
      inherit message;
    }) (every "refused")
    ++
      map
        (option: {
          assertion =
            builtins.match "[^[:cntrl:]]+" config.services.github-runnerctl.reconcile.${option} != null;
          message = "`services.github-runnerctl.reconcile.${option}` is empty or holds a line break or another control character. Write a time as systemd.time(7) has it.";
        })
        [
          "interval"
          "jitter"
        ];

  warnings = every "warnings";

  systemd.services =
    lib.mapAttrs' (
      instance: runner:
      lib.nameValuePair "github-runner-${instance}" (unitOf {
        inherit instance runner;
        manifest = manifests.${instance};
        broker = lib.optional (brokers ? ${instance}) "github-runner-broker-${instance}.socket";
        merged = finalOf instance;
        profile = profiles.${instance};
      })
    ) instances
    // lib.mapAttrs' (
      instance: broker: lib.nameValuePair "github-runner-broker-${instance}@" broker.service
    ) brokers
    // lib.mapAttrs' (instance: engine: lib.nameValuePair (engineStem instance) engine.service) engines
    // lib.optionalAttrs makesPasses {
      github-runner-reconcile = reconcile.service;
    }
    # Where there is no Nix, there is nothing that collects.
    // lib.optionalAttrs config.nix.enable (
      nixProfiles.services {
        inherit runnerctl;
        systemd = config.systemd.package;
      } instances
    );

  systemd.timers = lib.mkIf makesPasses {
    github-runner-reconcile = reconcile.timer;
  };

  systemd.sockets =
    lib.mapAttrs' (
      instance: broker: lib.nameValuePair "github-runner-broker-${instance}" broker.socket
    ) brokers
    // lib.mapAttrs' (instance: engine: lib.nameValuePair (engineStem instance) engine.socket) engines;

  systemd.slices = lib.mapAttrs' (
    entry: runner: lib.nameValuePair (slice.name entry) (slice.unit entry runner)
  ) entries;

  nix.settings = nixProfiles.settings (
    map ({ runner, user, ... }: { inherit runner user; }) (builtins.attrValues units)
  );

  programs = toolchains;
  # Which registries there are, and which images are believed.
  virtualisation.containers.enable = lib.mkIf (engines != { }) (lib.mkDefault true);

  # For whoever looks after the host: the program, and where it finds the runners.
  environment.systemPackages = [ runnerctl ];
  environment.etc."github-runners/fleet.json".source = reconcile.fleet;

  # Names every registration that somebody may have to take back, so it outlives
  # the runners and no service user can look inside.
  systemd.tmpfiles.rules =
    lib.optional (entries != { }) "d ${ledger} 0700 root root - -"
    ++ accounts.tmpfilesRules entries (
      map (
        {
          runner,
          user,
          merged,
          ...
        }:
        {
          inherit runner user;
          group = merged.textOf "Group";
        }
      ) (builtins.attrValues units)
    );
  users.users = accounts.users entries;
  users.groups = accounts.groups entries;
}

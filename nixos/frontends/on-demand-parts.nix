# What runners on demand consist of on one host: their units, manifests and settings. A function of the whole
# configuration, so that tests have the files that units name.
{
  config,
  lib,
  pkgs,
}:

let
  options = config.services.github-runner-on-demand;
  helper = config.services.github-runnerctl.helper.package;
  runnerctl = config.services.github-runnerctl.package;
  inherit (config.services.github-runnerctl.metrics) textfileDirectory;

  # Where root remembers the registrations of other runners, and what all brokers of this host share.
  ledger = "/var/lib/github-runner-registrations";
  sockets = "/run/github-runner-broker";
  kept = "/run/github-runner-broker-kept";

  instance = "on-demand";
  units = import ../units/on-demand.nix {
    inherit lib runnerctl;
    door = options.door.package;
    systemd = config.systemd.package;
  };

  # Credentials of clouds, of which nobody but their brokers may know anything.
  secrets = map ({ credential, ... }: closedEntry credential) (
    lib.filter ({ credential, ... }: credential != null) (builtins.attrValues clouds)
  );
  inherit (import ../units/syntax.nix) entry literal;
  closedEntry = path: entry "-${literal path}";
  closedToBrokers = units.closedToBrokers ++ secrets;

  # Variables by which programs of this host find their proxy.
  proxy = config.networking.proxy.envVars;
  ways = import ../units/ways.nix { inherit lib; } {
    environment = proxy // options.brokerEnvironment;
    serviceConfig.InaccessiblePaths = [ ];
    unitConfig = { };
  };

  # What everything of an order has in common, as a runner's value has it. Name and labels are those of the order, so
  # they stand for nothing here; nobody registers by this.
  common = {
    inherit (options)
      githubApp
      runnerGroup
      tokenFile
      tokenType
      url
      ;
    ephemeral = true;
    extraLabels = [ options.prefix ];
    name = null;
    noDefaultLabels = true;
    reRegisterOnTokenChange = true;
    registration.method = "jit";
    replace = false;
    supplementaryGroups = [ ];
    workDir = null;
    workDirMode = "0700";
    # What the host has in common is found again without a unit.
    brokerEnvironment = lib.filterAttrs (
      variable: value: proxy.${variable} or null != value
    ) ways.environment;
  };

  manifestOf = import ../manifest.nix { inherit helper pkgs; };
  manifest = manifestOf instance (
    common
    // {
      logs = {
        maxAge = 30;
        maxSize = 128;
      };
      # The broker runs none.
      package = "/var/empty";
      repositories = lib.mapAttrsToList (name: repository: {
        inherit name;
        inherit (repository) id;
      }) options.repositories;
      trustJobsLikeRoot = false;
      unit = null;
      workDirSize = "25%";
    }
  );
  broker =
    import ../units/broker.nix
      {
        inherit
          kept
          ledger
          lib
          runnerctl
          sockets
          ;
      }
      {
        inherit instance manifest;
        runner = common;
        ways = ways // {
          paths = ways.paths // {
            InaccessiblePaths = closedToBrokers ++ [ "-${units.runtime}" ];
          };
        };
      };

  local = lib.filterAttrs (_: class: class.local != null) options.classes;
  runnerOf =
    name: class:
    common
    // class.local
    // {
      user = null;
      group = null;
      pool = instanceOf name;
    };
  instanceOf = name: "${instance}-${name}";
  finalOf = name: config.systemd.services."${units.orderUnit name}@";
  merged = import ../units/merged.nix {
    inherit lib;
    users = config.users.users;
  };
  manifests = builtins.mapAttrs (
    name: class:
    manifestOf (instanceOf name) (
      runnerOf name class
      // {
        supplementaryGroups = lib.concatMap (lib.splitString " ") (
          (merged (finalOf name)).listOf "SupplementaryGroups"
        );
        # Nobody looks for a difference: an order has the unit that it began with.
        unit = null;
      }
    )
  ) local;
  # A file of its own, because it is called by its ending.
  hook = pkgs.writeTextFile {
    name = "job-started.sh";
    text = builtins.readFile ../../src/frontend/ondemand/kind/job-started.sh;
    executable = true;
  };
  unitOf = import ../units/runner.nix {
    inherit
      helper
      kept
      ledger
      lib
      proxy
      sockets
      ;
    packages = import ../units/programs.nix {
      inherit pkgs;
      nix = config.nix.package;
    };
  };
  orders = lib.mapAttrs' (
    name: class:
    lib.nameValuePair "${units.orderUnit name}@" (unitOf {
      instance = instanceOf name;
      runner = runnerOf name class;
      manifest = manifests.${name};
      broker = [ ];
      merged = finalOf name;
      order = units.order {
        inherit hook secrets;
        inherit (class) ttl;
      };
    })
  ) local;

  # Classes whose machines a broker makes.
  ec2 = import ./on-demand-ec2.nix { inherit lib; };
  clouds = builtins.mapAttrs (name: class: {
    instance = instanceOf "cloud-${name}";
    # Interpolating a path would copy the secret into the store.
    credential = if class.ec2.credentialFile == null then null else toString class.ec2.credentialFile;
    manifest = pkgs.writeTextFile {
      name = "github-runner-cloud-${name}-manifest.json";
      text = builtins.toJSON (
        ec2.manifest {
          class = name;
          # Any other one is refused.
          architecture = ec2.architectures.${class.architecture} or class.architecture;
          inherit (class) ec2;
        }
      );
    };
  }) (lib.filterAttrs (_: class: class.ec2 != null) options.classes);
  cloudUnitsOf = import ../units/cloud-broker.nix {
    inherit
      kept
      ledger
      lib
      runnerctl
      sockets
      ;
  };
  cloudUnits = builtins.mapAttrs (
    name: cloud:
    cloudUnitsOf {
      class = name;
      inherit (cloud) credential instance;
      manifest = "${cloud.manifest}";
      inherit (ways) environment;
      # Its own is among the secrets: what systemd handed to it is all that it needs.
      closed = closedToBrokers ++ [
        "-${units.runtime}"
        (closedEntry (import ../units/secret.nix common))
      ];
    }
  ) clouds;
  unitsOfClouds =
    kind: suffix:
    lib.mapAttrs' (
      name:
      { instance, ... }:
      lib.nameValuePair "github-runner-broker-${instance}${suffix}" cloudUnits.${name}.${kind}
    ) clouds;

  settings = pkgs.writeTextFile {
    name = "github-runner-on-demand-settings.json";
    text = builtins.toJSON (
      import ./on-demand-settings.nix { inherit lib; } {
        inherit options textfileDirectory;
        manifest = "${manifest}";
        broker = "${sockets}/${instance}";
        localOf = name: {
          unit = units.orderUnit name;
          inherit (units) workDirectory;
        };
        cloudBrokerOf = name: "${sockets}/${clouds.${name}.instance}";
        brokerProperties = import ../units/broker-properties.nix { inherit ledger lib sockets; } {
          environment = ways.environment;
          closed = closedToBrokers;
          # With those that have units it shares what it learned, and so the token of an installation.
          further = {
            inherit (broker.service.serviceConfig)
              RuntimeDirectory
              RuntimeDirectoryMode
              RuntimeDirectoryPreserve
              User
              ;
          };
        };
      }
    );
    # By the program that will read it. A cross build cannot run it; there the desk says the same in the journal.
    checkPhase =
      if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
        ''${runnerctl}/bin/github-runnerctl on-demand check "$target"''
      else
        "";
  };
  # What is left of this module's promises in units of orders; for each class its own, because of its name.
  promisesOf =
    name:
    import ../faults/promises.nix {
      inherit
        kept
        ledger
        lib
        sockets
        ;
      further = {
        "registrations of orders" = units.runtime;
        "the book of orders" = units.state;
      };
      optionOf = _: "services.github-runner-on-demand.classes.${name}.local";
      hasUser = false;
      steps = {
        ExecStartPre.place = "runners have no registration, and no order of the class is served";
        ExecStopPost.clear = "what a job leaves stays until systemd removes it, and the listener's logs are lost";
      };
    };
  promises = lib.mapAttrsToList (
    name: class:
    promisesOf name {
      runner = runnerOf name class;
      unit = finalOf name;
      merged = merged (finalOf name);
    }
  ) local;
in
{
  # What is wrong, for NixOS.
  refused = lib.concatMap (one: one.refused) promises;
  warnings = lib.concatMap (one: one.warnings) promises;

  # Class of kind `local` → where its runners look for their registration, and where they should.
  rootOf = name: (finalOf name).environment.RUNNER_ROOT or null;
  rootOfOrders = "%t/${units.stateDirectory}";

  inherit
    broker
    hook
    instance
    manifest
    manifests
    orders
    settings
    units
    ;

  # Of classes of kind `ec2`.
  cloudManifests = builtins.mapAttrs (_: { manifest, ... }: manifest) clouds;
  cloudServices = unitsOfClouds "service" "@";
  cloudSockets = unitsOfClouds "socket" "";

  # Of a class of kind `local`, as if it were an entry.
  local = builtins.mapAttrs (name: class: {
    instance = instanceOf name;
    runner = runnerOf name class;
  }) local;
}

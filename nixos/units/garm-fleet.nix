# What a fleet of GARM consists of: GARM where nixpkgs has no module for it, the script that looks after Incus, and the pass that
# brings GARM in line with the configuration. Pure functions over values.
{ lib }:

let
  inherit (import ./syntax.nix) argument literal;
  inherit (builtins) removeAttrs;
  hardening = import ./hardening.nix;

  commandLine = lib.concatMapStringsSep " " argument;
  # Never quoted; ../faults/garm-fleet.nix refuses what this cannot express.
  credentials = lib.mapAttrsToList (name: file: "${name}:${literal file}");

  # Of root, or of others with whom the pass has nothing to do; it gets its own secrets from systemd.
  unseen = [
    "/etc/shadow"
    "/etc/ssh"
    "/run/agenix"
    "/run/agenix.d"
    "/run/dbus"
    "/run/github-runner-broker"
    "/run/github-runner-broker-kept"
    "/run/incus"
    "/run/keys"
    "/run/secrets"
    "/run/secrets.d"
    "/var/lib/garm"
    "/var/lib/garm-fleet-incus"
    "/var/lib/github-runner-registrations"
    "/var/lib/incus"
    "/var/lib/lxd"
    "/var/lib/private"
  ];

  timerOf = description: interval: {
    inherit description;
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnBootSec = interval;
      OnUnitInactiveSec = interval;
      RandomizedDelaySec = "30s";
    };
  };
in
{
  inherit credentials;

  # GARM by itself. Its directories have the names that nixpkgs' module has, too, so that it can go over to that one.
  garm =
    {
      # Package of GARM, and of the shell that puts secrets into its settings.
      package,
      bash,
      # That script, the settings with marks, and the script that waits for GARM at a port.
      script,
      template,
      ready,
      port,
      # Name of a credential → file.
      files,
      # Groups of sockets.
      groups,
    }:
    {
      description = "GitHub Actions Runner Manager (GARM)";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "garm-fleet-incus.service"
        "network-online.target"
      ];
      # Waits for a file that comes later.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig =
        hardening.broker
        // {
          Type = "exec";
          ExecStartPre = commandLine [
            "${bash}/bin/bash"
            "${script}"
            "${template}"
            "/run/garm/config.toml"
          ];
          ExecStart = commandLine [
            "${package}/bin/garm"
            "--config"
            "/run/garm/config.toml"
          ];
          # For the pass, which would find nobody.
          ExecStartPost = commandLine [
            "${bash}/bin/bash"
            "${ready}"
            (toString port)
          ];
          Restart = "always";
          RestartSec = "5s";
          LoadCredential = credentials files;
          RuntimeDirectory = "garm";
          RuntimeDirectoryMode = "0700";
          StateDirectory = "garm";
          StateDirectoryMode = "0700";
          # With its providers, one process for each operation.
          MemoryMax = "2G";
          TasksMax = 2048;
        }
        // lib.optionalAttrs (groups != [ ]) {
          SupplementaryGroups = groups;
          # A group of the host is nobody's in a space of its own.
          PrivateUsers = false;
        };
    };

  # What nixpkgs' own module leaves to us.
  beside =
    { files, groups }:
    {
      wants = [ "garm-fleet-incus.service" ];
      after = [ "garm-fleet-incus.service" ];
      serviceConfig = {
        LoadCredential = credentials files;
      }
      // lib.optionalAttrs (groups != [ ]) { SupplementaryGroups = groups; };
    };

  # Root, because the socket of Incus is that; it speaks to nothing else.
  incus = {
    service =
      {
        bash,
        script,
        settings,
        # Packages of the programs that it calls.
        path,
      }:
      {
        description = "Storage, network, project, certificates and images of Incus for GARM";
        # At each switch: with other settings it is another unit, and an unchanged one is started again by its target.
        wantedBy = [ "multi-user.target" ];
        wants = [ "incus.service" ];
        after = [
          "incus.service"
          "incus-preseed.service"
        ];
        inherit path;
        unitConfig.StartLimitIntervalSec = 0;
        environment = {
          # Of the client, which keeps nothing there.
          INCUS_CONF = "/run/garm-fleet-incus";
          # An image is a file there on its way.
          TMPDIR = "/var/tmp";
        };
        serviceConfig =
          removeAttrs hardening.reconcile [
            "CapabilityBoundingSet"
            "ProtectHome"
          ]
          // {
            CapabilityBoundingSet = [ "" ];
            ProtectHome = true;
            PrivateTmp = true;
            Type = "oneshot";
            ExecStart = commandLine [
              "${bash}/bin/bash"
              "${script}"
              "${settings}"
            ];
            # An image of some GiB is copied, packed and hashed.
            TimeoutStartSec = "1h";
            RuntimeDirectory = "garm-fleet-incus";
            RuntimeDirectoryMode = "0700";
            StateDirectory = "garm-fleet-incus";
            StateDirectoryMode = "0700";
          };
      };

    # For old images, whose last instance may have ended.
    timer = timerOf "Regular look at what GARM needs of Incus" "1h";
  };

  # The pass. It has all secrets of the fleet, and is root without capabilities: what root owns it could still read, and ask by
  # sockets. So it has no sockets but those of IP, no address but this host's, and sees no directory of secrets or of others' state.
  pass = {
    service =
      {
        runnerctl,
        bash,
        # The script that looks who listens at GARM's port.
        listener,
        port,
        # Path of the declaration, for this unit.
        declaration,
        files,
        textfileDirectory,
      }:
      {
        description = "Pass that brings GARM in line with the configuration";
        wantedBy = [ "multi-user.target" ];
        wants = [
          "garm.service"
          "network-online.target"
        ];
        after = [
          "garm.service"
          "network-online.target"
        ];
        unitConfig.StartLimitIntervalSec = 0;
        serviceConfig =
          hardening.broker
          // {
            # As an owner that stays: root reads what it remembers.
            DynamicUser = false;
            # GARM is at 127.0.0.1, so there is no name to look up either.
            RestrictAddressFamilies = [ "AF_INET" ];
            IPAddressDeny = "any";
            IPAddressAllow = "localhost";
            InaccessiblePaths = map (path: "-${path}") unseen;
            Type = "oneshot";
            # With root's view of processes, of which the pass has none.
            ExecStartPre = "+${
              commandLine [
                "${bash}/bin/bash"
                "${listener}"
                "garm.service"
                (toString port)
              ]
            }";
            ExecStart = commandLine [
              "${runnerctl}/bin/github-runnerctl"
              "fleet"
              "apply"
              "--declaration"
              "${declaration}"
            ];
            LoadCredential = credentials files;
            StateDirectory = "garm-fleet";
            StateDirectoryMode = "0700";
            TimeoutStartSec = "15min";
            # GARM does not answer yet.
            RestartForceExitStatus = 75;
            RestartSec = "5s";
          }
          // lib.optionalAttrs (textfileDirectory != null) {
            # Whoever collects the figures owns it.
            CapabilityBoundingSet = [ "CAP_DAC_OVERRIDE" ];
            PrivateUsers = false;
            ReadWritePaths = [ "-${literal textfileDirectory}" ];
          };
      };

    timer = timerOf "Regular pass over GARM";
  };
}

# What the module renders for a runner.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  runners = import ../runners.nix { inherit pkgs; };
  nixpkgs = import ../nixpkgs-units.nix;
  rendered = host { inherit runners; };
  textOf = instance: rendered.unitTexts."github-runner-${instance}.service";
  linesOf = instance: lib.filter (line: line != "") (lib.splitString "\n" (textOf instance));

  helper = "${pkgs.github-runner-helper}/bin/github-runner-helper";
  manifest = instance: "${pkgs.package "github-runner-${instance}-manifest.json"}";
  steps =
    {
      instance,
      work,
    }:
    let
      common = "--manifest ${manifest instance} --state-directory %S/github-runner/${instance} --work-directory ${work} --logs-directory %L/github-runner/${instance}";
      ledger = "--ledger-directory /var/lib/github-runner-registrations";
      broker = "--broker /run/github-runner-broker/${instance}";
    in
    [
      "ExecStartPre=+${helper} prepare ${common} ${ledger} ${broker}"
      "ExecStartPre=${helper} configure ${common}"
      "ExecStartPre=+${helper} record ${common} ${ledger}"
      "ExecStop=+${helper} release ${common} ${ledger} ${broker}"
      "ExecStopPost=+${helper} settle ${common} ${ledger} ${broker}"
    ];

  atTheTop = instance: [
    "After=network.target network-online.target nss-lookup.target github-runner-broker-${instance}.socket"
    "StartLimitIntervalSec=0"
    "Wants=network-online.target github-runner-broker-${instance}.socket"
    # A switch interrupts no job.
    "X-StopOnRemoval=false"
    "Environment=\"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=true\""
    "X-RestartIfChanged=false"
  ];

  # What is left of systemd's services: names, users and the journal.
  ofSystemd = [
    "BindReadOnlyPaths=-/run/systemd/journal"
    "BindReadOnlyPaths=-/run/systemd/resolve"
    "BindReadOnlyPaths=-/run/systemd/system"
    "BindReadOnlyPaths=-/run/systemd/userdb"
  ];

  # Shared memory that no other runner and no PID 1 has to look at.
  sharedMemory = "TemporaryFileSystem=/dev/shm:mode=1777,nosuid,nodev,size=25%,nr_inodes=100k";

  # PATH and its like belong to NixOS; ExecStart is the same but for its hash.
  ours =
    instance:
    lib.filter (
      line:
      !lib.any (prefix: lib.hasPrefix prefix line) [
        "Environment=\"LOCALE_ARCHIVE="
        "Environment=\"PATH="
        "Environment=\"TZDIR="
        "ExecStart="
      ]
    ) (linesOf instance);

  # The whole difference between nixpkgs' unit and ours.
  difference = instance: {
    removed = lib.subtractLists (ours instance) nixpkgs.${instance};
    added = lib.subtractLists nixpkgs.${instance} (ours instance);
  };

  goldenClaims = lib.mapAttrs' (
    instance: _:
    lib.nameValuePair "the unit ${instance}.service is the golden one" {
      expected = builtins.readFile (../golden + "/${instance}.service");
      actual = textOf instance;
    }
  ) runners;
in
goldenClaims
// {
  "a persistent unit differs from nixpkgs' in these lines only" = {
    expected = {
      removed = [
        "After=network.target network-online.target"
        "Wants=network-online.target"
        "InaccessiblePaths=%S/github-runner/persistent/.current-token"
        # Root makes it, and jobs cannot write it.
        "LogsDirectory=github-runner/persistent"
        "Restart=no"
      ];
      added =
        atTheTop "persistent"
        ++ ofSystemd
        ++ steps {
          instance = "persistent";
          work = "%t/github-runner/persistent";
        }
        ++ [
          "InaccessiblePaths=-/var/lib/github-runner-registrations"
          "InaccessiblePaths=-/run/github-runner-broker"
          # Tokens that brokers keep.
          "InaccessiblePaths=-/run/github-runner-broker-kept"
          "InaccessiblePaths=-/run/private/github-runner-broker-kept"
          # The bus of the system and those of users.
          "InaccessiblePaths=-/run/dbus"
          "InaccessiblePaths=-/run/user"
          # Whatever a job does or leaves behind, its runner lives, and ends in time.
          "KillMode=mixed"
          "OOMPolicy=continue"
          "Restart=always"
          "RestartPreventExitStatus=7"
          "RestartSec=5s"
          # Nobody but the runner enters its default work directory.
          "RuntimeDirectoryMode=0700"
          # With the other runners of its entry.
          "Slice=github-runners-persistent.slice"
          "SystemCallErrorNumber=EPERM"
          sharedMemory
          "TemporaryFileSystem=/run/systemd:ro"
          "TimeoutStartSec=15min"
          "TimeoutStopSec=30s"
        ];
    };
    actual = difference "persistent";
  };

  "an ephemeral unit with a work directory differs from nixpkgs' in these lines only" = {
    expected = {
      removed = [
        "After=network.target network-online.target"
        "Wants=network-online.target"
        "InaccessiblePaths=%S/github-runner/ephemeral/.current-token"
        "LogsDirectory=github-runner/ephemeral"
        "BindPaths=/var/lib/gh-work"
        "Restart=on-success"
        "WorkingDirectory=/var/lib/gh-work"
      ];
      added =
        atTheTop "ephemeral"
        ++ [ "BindPaths=-/var/lib/gh-work" ]
        ++ ofSystemd
        ++ steps {
          instance = "ephemeral";
          work = "/var/lib/gh-work";
        }
        ++ [
          "InaccessiblePaths=-/var/lib/github-runner-registrations"
          "InaccessiblePaths=-/run/github-runner-broker"
          # Tokens that brokers keep.
          "InaccessiblePaths=-/run/github-runner-broker-kept"
          "InaccessiblePaths=-/run/private/github-runner-broker-kept"
          # The bus of the system and those of users.
          "InaccessiblePaths=-/run/dbus"
          "InaccessiblePaths=-/run/user"
          # Whatever a job does or leaves behind, its runner lives, and ends in time.
          "KillMode=mixed"
          "OOMPolicy=continue"
          "Restart=always"
          "RestartPreventExitStatus=7"
          "RestartSec=1s"
          "RuntimeDirectoryMode=0700"
          "Slice=github-runners-ephemeral.slice"
          "SystemCallErrorNumber=EPERM"
          sharedMemory
          "TemporaryFileSystem=/run/systemd:ro"
          "TimeoutStartSec=15min"
          "TimeoutStopSec=30s"
          "WorkingDirectory=-/var/lib/gh-work"
        ];
    };
    actual = difference "ephemeral";
  };

  "the unit runs the listener as a service" = {
    expected = "${pkgs.github-runner}/bin/Runner.Listener run --startuptype service";
    actual = rendered.services.github-runner-persistent.serviceConfig.ExecStart;
  };

  "jobs find programs in nixpkgs' order" = {
    expected = map toString [
      pkgs.bashInteractive
      pkgs.coreutils
      pkgs.git
      pkgs.gnutar
      pkgs.gzip
      pkgs.nix
      pkgs.jq
    ];
    actual = map toString rendered.services.github-runner-ephemeral.path;
  };

  "nothing is started in the sandbox before the listener where GitHub makes the runner" =
    let
      cases = builtins.fromJSON (builtins.readFile ../fixtures/steps-in-the-sandbox.json);
      configures =
        { changes, ... }:
        builtins.any (lib.hasInfix " configure ")
          (host {
            runners.one = {
              enable = true;
              url = "https://github.com/octo-org";
              tokenFile = "/run/secrets/one.token";
            }
            // changes;
          }).services.github-runner-one.serviceConfig.ExecStartPre;
    in
    {
      expected = map (case: case.configures) cases;
      actual = map configures cases;
    };

  "the nix of a job is that of the system" =
    let
      patched = pkgs.package "patched-nix";
    in
    {
      expected = true;
      actual =
        builtins.elem patched
          (host {
            runners.one = runner;
            extra.nix.package = patched;
          }).services.github-runner-one.path;
    };

  "two runners make two units with a broker and a slice each, and share the pass" = {
    expected = [
      "github-runner-broker-ephemeral.socket"
      "github-runner-broker-ephemeral@.service"
      "github-runner-broker-persistent.socket"
      "github-runner-broker-persistent@.service"
      "github-runner-ephemeral.service"
      "github-runner-persistent.service"
      "github-runner-reconcile.service"
      "github-runner-reconcile.timer"
      "github-runners-ephemeral.slice"
      "github-runners-persistent.slice"
    ];
    actual = builtins.attrNames rendered.unitTexts;
  };

  "a disabled runner makes nothing, but the pass stays for what former runners left" = {
    expected = {
      units = [
        "github-runner-reconcile.service"
        "github-runner-reconcile.timer"
      ];
      instances = [ ];
      tmpfilesRules = [ ];
      failures = [ ];
    };
    actual =
      let
        disabled = host {
          runners.one = {
            enable = false;
            url = "not even a url";
          };
        };
      in
      {
        units = builtins.attrNames disabled.unitTexts;
        inherit (builtins.fromJSON disabled.etc."github-runners/fleet.json".source.text) instances;
        inherit (disabled) tmpfilesRules failures;
      };
  };

  "the ledger directory is root's alone and made once" = {
    expected = [ "d /var/lib/github-runner-registrations 0700 root root - -" ];
    actual = rendered.tmpfilesRules;
  };
}

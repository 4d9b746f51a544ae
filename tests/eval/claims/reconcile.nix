# The pass over all runners: what it is told, and what it may do.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  runners = import ../runners.nix { inherit pkgs; };
  rendered = host { inherit runners; };
  fleetOf = result: builtins.fromJSON result.etc."github-runners/fleet.json".source.text;
  serviceOf = result: result.services.github-runner-reconcile;
  settings =
    changes:
    host {
      runners.one = runner;
      extra.services.github-runnerctl = changes;
    };
  golden = unit: {
    expected = builtins.readFile (../golden + "/${unit}");
    actual = rendered.unitTexts."github-runner-${unit}";
  };
in
{
  "the unit reconcile.service is the golden one" = golden "reconcile.service";
  "the unit reconcile.timer is the golden one" = golden "reconcile.timer";

  "the pass is told every runner, and how each is to be treated" = {
    expected = {
      version = 1;
      deleteUnknownOffline = false;
      textfileDirectory = null;
      instances = [
        {
          instance = "a-1";
          pool = "a";
          unit = "github-runner-a-1.service";
          manifest = "${pkgs.package "github-runner-a-1-manifest.json"}";
          restartPolicy = "when-idle";
          drainTimeout = 60;
          workDirectory = "/run/github-runner/a-1";
        }
        {
          instance = "a-2";
          pool = "a";
          unit = "github-runner-a-2.service";
          manifest = "${pkgs.package "github-runner-a-2-manifest.json"}";
          restartPolicy = "when-idle";
          drainTimeout = 60;
          workDirectory = "/run/github-runner/a-2";
        }
        {
          instance = "b";
          pool = "b";
          unit = "github-runner-b.service";
          manifest = "${pkgs.package "github-runner-b-manifest.json"}";
          restartPolicy = "immediate";
          drainTimeout = null;
          workDirectory = "/srv/work";
        }
      ];
    };
    actual = removeAttrs (fleetOf (host {
      runners.b = runner // {
        tokenType = "registration";
        workDir = "/srv/work";
      };
      runners.a = runner // {
        count = 2;
        drainTimeout = 60;
      };
      runners.off = runner // {
        enable = false;
      };
    })) [ "brokerProperties" ];
  };

  "a broker without a unit of its own is closed in like any other" = {
    expected = [ ];
    actual =
      let
        told =
          (fleetOf (host {
            runners.one = runner;
          })).brokerProperties;
        unit = lib.splitString "\n" (builtins.readFile (../golden + "/broker@.service"));
        isSandbox = line: lib.any (name: lib.hasPrefix "${name}=" line) sandbox;
        sandbox = builtins.attrNames (
          removeAttrs (import ../../../nixos/units/hardening.nix).broker [ "PrivateTmp" ]
        );
      in
      lib.subtractLists told (lib.filter isSandbox unit);
  };

  "the pass reads the file that operators find" = {
    expected = "${pkgs.github-runnerctl}/bin/github-runnerctl reconcile --fleet ${
      rendered.etc."github-runners/fleet.json".source
    }";
    actual = (serviceOf rendered).serviceConfig.ExecStart;
  };

  "what operators set reaches the pass and its timer" =
    let
      result = settings {
        reconcile = {
          interval = "5min";
          jitter = "1min";
          deleteUnknownOffline = true;
        };
        metrics.textfileDirectory = "/var/lib/node-exporter-textfiles";
      };
      fleet = fleetOf result;
      inherit (result.timers.github-runner-reconcile) timerConfig;
    in
    {
      expected = {
        OnBootSec = "5min";
        OnUnitInactiveSec = "5min";
        RandomizedDelaySec = "1min";
        deleteUnknownOffline = true;
        textfileDirectory = "/var/lib/node-exporter-textfiles";
        writable = true;
        tmpfilesRules = 1;
      };
      actual = {
        inherit (timerConfig) OnBootSec OnUnitInactiveSec RandomizedDelaySec;
        inherit (fleet) deleteUnknownOffline textfileDirectory;
        writable =
          lib.last (serviceOf result).serviceConfig.ReadWritePaths == "-/var/lib/node-exporter-textfiles";
        tmpfilesRules = builtins.length result.tmpfilesRules;
      };
    };

  "another program does the pass, too, if it is replaced" =
    let
      patched = pkgs.package "patched-runnerctl";
    in
    {
      expected = true;
      actual =
        lib.hasPrefix "${patched}/bin/github-runnerctl reconcile "
          (serviceOf (settings {
            package = patched;
          })).serviceConfig.ExecStart;
    };

  "the pass finds the systemd of the host" =
    let
      patched = pkgs.package "patched-systemd";
    in
    {
      expected = [ patched ];
      actual =
        (serviceOf (host {
          runners.one = runner;
          extra.systemd.package = patched;
        })).path;
    };

  "the pass names no secret" = {
    expected = false;
    actual =
      lib.hasInfix "/run/secrets" rendered.unitTexts."github-runner-reconcile.service"
      || lib.hasInfix "/run/secrets" rendered.etc."github-runners/fleet.json".source.text;
  };
}

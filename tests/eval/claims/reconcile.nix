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
      passes = true;
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

  "without passes a host has no unit and no timer for them, and programs are told" =
    let
      result = settings { reconcile.enable = false; };
    in
    {
      expected = {
        units = [ ];
        passes = false;
        instances = [ "one" ];
        brokers = 1;
        failures = [ ];
        warnings = [ ];
      };
      actual = {
        units = lib.filter (lib.hasInfix "reconcile") (builtins.attrNames result.unitTexts);
        inherit (fleetOf result) passes;
        # A pass that somebody makes knows as much as one of a timer.
        instances = map ({ instance, ... }: instance) (fleetOf result).instances;
        brokers = builtins.length (builtins.attrNames result.sockets);
        inherit (result) failures warnings;
      };
    };

  "without passes the switch restarts and stops runners, unless they say otherwise" =
    let
      policyOf =
        changes:
        let
          result = host {
            runners.one = runner // changes;
            extra.services.github-runnerctl.reconcile.enable = false;
          };
        in
        {
          policy = (builtins.head (fleetOf result).instances).restartPolicy;
          staysAtSwitch = !result.services.github-runner-one.restartIfChanged;
          staysWhenRemoved =
            result.services.github-runner-one.unitConfig ? X-StopOnRemoval
            && !result.services.github-runner-one.unitConfig.X-StopOnRemoval;
        };
      stays = policy: stays: {
        inherit policy;
        staysAtSwitch = stays;
        staysWhenRemoved = stays;
      };
    in
    {
      expected = [
        (stays "immediate" false)
        (stays "when-idle" true)
        (stays "never" true)
      ];
      actual = map policyOf [
        { }
        { restartPolicy = "when-idle"; }
        { restartPolicy = "never"; }
      ];
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

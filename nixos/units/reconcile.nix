# The pass that brings what runs in line with what is configured: which runners
# there should be, as a file, and the service and the timer that look after them.
# A pure function, like runner.nix.
{
  lib,
  pkgs,
  # The package of the program that does it.
  runnerctl,
  # The package whose programs it calls.
  systemd,
  # Where root remembers registrations.
  ledger,
  # Directory of the brokers' sockets.
  sockets,
  # Variables by which programs of this host find their proxy.
  proxy,
  # Values of the options `services.github-runnerctl.{metrics,reconcile}`.
  metrics,
  reconcile,
}:

# Instance → runner, instance → its manifest, and instance → its profile; see ../profiles.
instances: manifests: profiles:

let
  inherit (import ./syntax.nix) argument entry literal;
  inherit (import ./order.nix { inherit lib; }) yielding;
  hardening = import ./hardening.nix;

  # Where runners have theirs.
  directories = [
    "/var/lib"
    "/var/log"
    "/run"
  ];

  textfileDirectory =
    if metrics.textfileDirectory == null then null else toString metrics.textfileDirectory;

  # Version 1. Sorted, so that the same runners make the same file.
  fleet = pkgs.writeText "github-runners-fleet.json" (
    builtins.toJSON {
      version = 1;
      instances = lib.mapAttrsToList (
        instance: runner:
        {
          inherit instance;
          inherit (runner) drainTimeout pool restartPolicy;
          manifest = "${manifests.${instance}}";
          unit = "github-runner-${instance}.service";
          workDirectory = if runner.workDir == null then "/run/github-runner/${instance}" else runner.workDir;
        }
        # For operators.
        // lib.optionalAttrs (profiles.${instance}.may != [ ]) { inherit (profiles.${instance}) may; }
        // lib.optionalAttrs (runner.trust != null) { inherit (runner) trust; }
      ) instances;
      passes = reconcile.enable;
      inherit (reconcile) deleteUnknownOffline;
      inherit textfileDirectory;
      inherit brokerProperties;
    }
  );

  # For the broker of a runner that is not configured any more, and so has no unit.
  brokerProperties = import ./broker-properties.nix { inherit ledger lib sockets; } {
    environment = proxy;
  };
in
{
  inherit fleet;

  service = {
    description = "Reconcile pass over the GitHub Actions runners";
    # At boot, and at every switch: with other runners it is another unit, and an
    # unchanged one that has ended is started again by its target.
    wantedBy = [ "multi-user.target" ];
    # Not for itself, but for the brokers that it asks.
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    path = [ systemd ];
    unitConfig = {
      # Many switches in a row are no fault.
      StartLimitIntervalSec = yielding 0;
      # Also where no runner is configured any more: the last ones may have left
      # registrations. Where there never was any there is nothing to do.
      ConditionDirectoryNotEmpty = ledger;
    };

    serviceConfig = hardening.reconcile // {
      # A switch starts it again and must not wait for what it does.
      Type = "simple";
      ExecStart = lib.concatMapStringsSep " " argument [
        "${runnerctl}/bin/github-runnerctl"
        "reconcile"
        "--fleet"
        "${fleet}"
      ];
      # A pass begins nothing after five minutes; what it is at then may be a large
      # directory.
      RuntimeMaxSec = "20min";

      # For the doors to brokers of runners that are not configured any more.
      RuntimeDirectory = "github-runner-reconcile";
      StateDirectory = "github-runner-reconcile";
      StateDirectoryMode = "0700";

      # What is left of runners that are gone, and what is told about the others.
      ReadWritePaths = [
        "-${ledger}"
        # For what was seen, which is beside the socket that it is about.
        "-${sockets}"
        # For copies of units that run, in case a switch takes them away.
        "-/run/systemd/system"
      ]
      ++ lib.concatMap (directory: [
        "-${directory}/github-runner"
        "-${directory}/private/github-runner"
      ]) directories
      # Whoever collects the figures owns it, and a missing one keeps no runner waiting.
      ++ lib.optional (textfileDirectory != null) (entry "-${literal textfileDirectory}");
    };
  };

  timer = {
    description = "Regular reconcile pass over the GitHub Actions runners";
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnBootSec = reconcile.interval;
      OnUnitInactiveSec = reconcile.interval;
      # Not all hosts at the same moment.
      RandomizedDelaySec = reconcile.jitter;
      # The default would make a minute of it.
      AccuracySec = "1s";
    };
  };
}

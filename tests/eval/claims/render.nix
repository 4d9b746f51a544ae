# The units that machines without Nix get from render.nix.
{ lib, ... }:

let
  rendered = import ../render.nix {
    inherit lib;
    runnersFile = ../fixtures/runners.json;
    helper = "/opt/helper";
    runnerctl = "/opt/runnerctl";
    listener = "/opt/listener";
    programs = "/usr";
    manifestDirectory = "/etc/manifests";
  };
  brokerUnits = lib.concatMap (unit: unit.brokerUnits) rendered.units;
  texts = map (unit: unit.unitText) (rendered.units ++ brokerUnits ++ rendered.otherUnits);
in
{
  "machines without Nix get every enabled runner" = {
    expected = [
      {
        instance = "first";
        unitName = "github-runner-first.service";
        manifestPath = "/etc/manifests/first.json";
        listener = "/opt/listener/bin/Runner.Listener";
      }
      {
        instance = "second";
        unitName = "github-runner-second.service";
        manifestPath = "/etc/manifests/second.json";
        listener = "/opt/other-listener/bin/Runner.Listener";
      }
    ];
    actual = map (unit: {
      inherit (unit) instance unitName manifestPath;
      inherit (unit.manifest) listener;
    }) rendered.units;
  };

  "machines without Nix get the brokers of their runners" = {
    expected = [
      "github-runner-broker-first.socket"
      "github-runner-broker-first@.service"
    ];
    actual = map (unit: unit.unitName) brokerUnits;
  };

  "machines without Nix run the broker that was passed" = {
    expected = true;
    actual = lib.hasInfix "\nExecStart=/opt/runnerctl/bin/github-runnerctl broker --manifest /etc/manifests/first.json\n" (lib.last brokerUnits)
    .unitText;
  };

  "machines without Nix get the pass over all runners, and their slices" = {
    expected = [
      "github-runner-reconcile.service"
      "github-runner-reconcile.timer"
      "github-runners-first.slice"
      "github-runners-second.slice"
    ];
    actual = map (unit: unit.unitName) rendered.otherUnits;
  };

  "the pass on machines without Nix reads what was passed" = {
    expected = {
      path = "/etc/github-runners/fleet.json";
      manifests = [
        "/etc/manifests/first.json"
        "/etc/manifests/second.json"
      ];
      command = true;
    };
    actual = {
      inherit (rendered.fleet) path;
      manifests = map (instance: instance.manifest) (builtins.fromJSON rendered.fleet.text).instances;
      command = lib.hasInfix "\nExecStart=/opt/runnerctl/bin/github-runnerctl reconcile --fleet /etc/github-runners/fleet.json\n" (builtins.head rendered.otherUnits)
      .unitText;
    };
  };

  "machines without Nix get units without a store path" = {
    expected = [ ];
    actual = lib.filter (lib.hasInfix builtins.storeDir) (texts ++ [ rendered.fleet.text ]);
  };

  "units on machines without Nix name what was passed" = {
    expected = [ true ];
    actual = lib.unique (
      map (
        unit:
        lib.hasInfix "ExecStartPre=+/opt/helper/bin/github-runner-helper prepare --manifest /etc/manifests/" unit.unitText
      ) rendered.units
      ++ map (text: lib.hasInfix text (builtins.head texts)) [
        ":/usr/bin:/opt/tools/bin:/usr/bin:"
        "\nMemoryMax=1G\n"
        "\nExecStart=/opt/listener/bin/Runner.Listener run "
      ]
    );
  };
}

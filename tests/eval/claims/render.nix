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
  texts = map (unit: unit.unitText) (rendered.units ++ brokerUnits);
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

  "machines without Nix get units without a store path" = {
    expected = [ ];
    actual = lib.filter (lib.hasInfix builtins.storeDir) texts;
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

# What this module and the programs know without telling each other, against
# fixtures/contract.json, which tests of the programs read, too. Of a text "module" says
# whether an evaluation accepts it, and "program" whether a program does.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  fixture = name: builtins.fromJSON (builtins.readFile (../../fixtures + "/${name}"));
  contract = fixture "contract.json";

  strict = import ../strict.nix { inherit lib pkgs; };
  octo =
    changes:
    host {
      inherit (strict) pkgs;
      runners.octo = runner // changes;
    };
  two = octo { count = 2; };
  manifestOf = changes: (strict.manifestsOf (octo changes)).octo;
  fleet = builtins.fromJSON two.etc."github-runners/fleet.json".source.text;
  serviceConfig = two.services.github-runner-octo-1.serviceConfig;
  broker = two.services."github-runner-broker-octo-1@";

  textOf =
    case:
    if case ? text then
      case.text
    else
      (case.start or "") + lib.concatMapStrings (_: case.of) (lib.range 1 case.repeat);

  # With all that a build would look at.
  evaluates =
    runners:
    let
      result = host { inherit runners; };
      looked = builtins.tryEval (
        builtins.deepSeq (builtins.attrValues result.unitTexts) (
          builtins.deepSeq (map (manifest: manifest.text) (
            builtins.attrValues result.manifests
          )) result.failures
        )
      );
    in
    looked.success && looked.value == [ ];

  # Which texts are taken for another verdict than the fixture has.
  misjudged =
    field: accepts:
    map (case: builtins.substring 0 80 (textOf case)) (
      lib.filter (case: accepts (textOf case) != case.module) contract.${field}
    );
  judgesOption = field: changesOf: {
    name = "texts of ${field} are accepted and refused as the contract says";
    value = {
      expected = [ ];
      actual = misjudged field (text: evaluates { octo = runner // changesOf text; });
    };
  };

  # What a directive of a unit's text gives, in seconds.
  secondsOf =
    unit: directive:
    let
      found = builtins.match ".*\n${directive}=([0-9]+)(min|s)\n.*" two.unitTexts.${unit};
      number = builtins.fromJSON (builtins.head found);
    in
    if lib.last found == "min" then 60 * number else number;

  letters = lib.filter (letter: builtins.isString letter && letter != "") (
    builtins.split "" "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
  );
  inherit (import ../../../nixos/faults/path-components.nix { inherit lib; }) expand;

  fieldsOf = builtins.mapAttrs (
    _: value: if builtins.isAttrs value then builtins.attrNames value else null
  );
in
builtins.listToAttrs [
  (judgesOption "url" (url: {
    inherit url;
  }))
  (judgesOption "name" (name: {
    inherit name;
  }))
  (judgesOption "extraLabels" (label: {
    extraLabels = [ label ];
  }))
  (judgesOption "runnerGroup" (runnerGroup: {
    inherit runnerGroup;
  }))
  (judgesOption "workDir" (workDir: {
    inherit workDir;
  }))
  (judgesOption "workDirMode" (workDirMode: {
    inherit workDirMode;
  }))
  (judgesOption "workDirSize" (workDirSize: {
    inherit workDirSize;
  }))
  (judgesOption "minFreeSpace" (minFreeSpace: {
    inherit minFreeSpace;
  }))
]
// {
  "names of instances are accepted and refused as the contract says" = {
    expected = [ ];
    actual = misjudged "instance" (name: evaluates { ${name} = runner; });
  };

  "what looks like a secret is what the contract says" = {
    expected = [ ];
    actual = misjudged "secretText" (import ../../../nixos/faults/secret-text.nix);
  };

  "an evaluation accepts what a program refuses only where a build finds out" = {
    # Beyond ASCII Nix counts bytes, and it has no numbers in types of texts.
    expected = [
      "workDirSize"
      "workDirSize"
      "minFreeSpace"
      "name"
    ];
    actual = lib.concatLists (
      map (field: map (_: field) (lib.filter (case: case.module && !case.program) contract.${field})) [
        "url"
        "extraLabels"
        "runnerGroup"
        "instance"
        "workDir"
        "workDirMode"
        "workDirSize"
        "minFreeSpace"
        "secretText"
        "name"
      ]
    );
  };

  "words of options are those of the contract" = {
    expected = contract.words;
    actual = {
      restartPolicy = map (
        restartPolicy:
        (builtins.head
          (builtins.fromJSON (octo { inherit restartPolicy; }).etc."github-runners/fleet.json".source.text)
          .instances
        ).restartPolicy
      ) contract.words.restartPolicy;
      tokenType = map (tokenType: (manifestOf { inherit tokenType; }).tokenType) contract.words.tokenType;
      "registration.method" = map (
        method:
        (manifestOf {
          ephemeral = true;
          registration = { inherit method; };
        }).method
      ) contract.words."registration.method";
    };
  };

  "directories of the host are those of the contract" = {
    expected = contract.places;
    actual = {
      fleet = "/etc/${builtins.head (builtins.attrNames two.etc)}";
      ledger = builtins.elemAt (lib.splitString " " (builtins.head two.tmpfilesRules)) 1;
      sockets = builtins.dirOf (builtins.head two.sockets.github-runner-broker-octo-1.listenStreams);
      kept = "/run/${builtins.dirOf broker.serviceConfig.RuntimeDirectory}";
      state = "/var/lib/${builtins.dirOf (builtins.head serviceConfig.StateDirectory)}";
      logs = builtins.dirOf (
        expand (
          builtins.head (
            builtins.match ".* --logs-directory ([^ ]+) .*" (builtins.head serviceConfig.ExecStartPre)
          )
        )
      );
      runtime = "/run/${builtins.dirOf (builtins.head serviceConfig.RuntimeDirectory)}";
      memory = "/var/lib/${two.services.github-runner-reconcile.serviceConfig.StateDirectory}";
      passes = "/run/${two.services.github-runner-reconcile.serviceConfig.RuntimeDirectory}";
    };
  };

  "no runner's jobs can look into what the contract keeps for root" = {
    expected = [ ];
    actual = lib.subtractLists serviceConfig.InaccessiblePaths (
      map (place: "-${contract.places.${place}}") [
        "ledger"
        "sockets"
        "kept"
      ]
    );
  };

  "names of units are those of the contract" = {
    expected = [ ];
    actual = lib.subtractLists (builtins.attrNames
      (octo {
        count = 2;
        user = "ci";
        containers.engine = "podman";
      }).unitTexts
    ) (builtins.attrValues contract.units);
  };

  "the fleet file names a runner's unit as the contract does" = {
    expected = contract.units.runner;
    actual = (builtins.head fleet.instances).unit;
  };

  "specifiers stand for the directories of the contract, and no other ones do" = {
    expected = contract.specifiers;
    actual = builtins.listToAttrs (
      lib.filter ({ name, value }: name != value) (
        map (letter: lib.nameValuePair "%${letter}" (expand "%${letter}")) letters
      )
    );
  };

  "units give their programs the time that the contract says" = {
    expected = contract.seconds;
    actual = {
      start = secondsOf contract.units.runner "TimeoutStartSec";
      stop = secondsOf contract.units.runner "TimeoutStopSec";
      broker = secondsOf contract.units.broker "RuntimeMaxSec";
      pass = secondsOf contract.units.pass "RuntimeMaxSec";
    };
  };

  "a broker without a unit of its own has as much time" = {
    expected = true;
    actual = builtins.elem "RuntimeMaxSec=${toString contract.seconds.broker}s" fleet.brokerProperties;
  };

  "a broker gets the variables of the contract and no others" = {
    expected = contract.brokerEnvironment;
    actual =
      builtins.attrNames
        (octo {
          extraEnvironment =
            builtins.listToAttrs (map (name: lib.nameValuePair name "x") contract.brokerEnvironment)
            // {
              ALL_PROXY = "x";
              FTP_PROXY = "x";
              PATH_OF_JOBS = "x";
              all_proxy = "x";
            };
        }).services."github-runner-broker-octo@".environment;
  };

  "a broker gets its files by the names of the contract" = {
    expected = [
      "${contract.credentials.credential}:/run/secrets/token"
      "${contract.credentials.ledger}:${contract.places.ledger}/octo-1.json"
      contract.credentials.given
    ];
    actual =
      let
        loaded = broker.serviceConfig.LoadCredential;
      in
      lib.take 2 loaded ++ map (text: builtins.head (lib.splitString ":" text)) (lib.drop 2 loaded);
  };

  "what stands for a missing file is the text of the contract" =
    let
      text = builtins.replaceStrings [ "\n" ] [ "\\n" ] contract.credentials.noFile;
    in
    {
      expected = [
        "${contract.credentials.credential}:${text}"
        "${contract.credentials.ledger}:${text}"
      ];
      actual = broker.serviceConfig.SetCredential;
    };

  "a manifest has the fields of the fixture that programs read" = {
    expected = fieldsOf (fixture "manifest-v2.json");
    actual = fieldsOf (manifestOf { });
  };

  "a fleet file has the fields of the fixture that programs read" =
    let
      both = file: [
        (builtins.attrNames file)
        (builtins.attrNames (builtins.head file.instances))
      ];
    in
    {
      expected = both (fixture "fleet-v1.json");
      actual = both fleet;
    };
}

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
  textOf = instance: rendered.unitTexts."github-runner-${instance}";
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
    in
    [
      "+${helper} prepare ${common} ${ledger}"
      "${helper} configure ${common}"
      "+${helper} record ${common} ${ledger}"
      "${helper} link ${common}"
    ];

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
    lib.nameValuePair "the ${instance} unit is the golden one" {
      expected = builtins.readFile (../golden + "/${instance}.service");
      actual = textOf instance;
    }
  ) runners;
in
goldenClaims
// {
  "a persistent unit differs from nixpkgs' in these lines only" = {
    expected = {
      removed = [ "InaccessiblePaths=%S/github-runner/persistent/.current-token" ];
      added =
        map (step: "ExecStartPre=${step}") (steps {
          instance = "persistent";
          work = "%t/github-runner/persistent";
        })
        ++ [
          "InaccessiblePaths=-/var/lib/github-runner-registrations"
          "TimeoutStartSec=10min"
        ];
    };
    actual = difference "persistent";
  };

  "an ephemeral unit with a work directory differs from nixpkgs' in these lines only" = {
    expected = {
      removed = [
        "InaccessiblePaths=%S/github-runner/ephemeral/.current-token"
        "BindPaths=/var/lib/gh-work"
        "WorkingDirectory=/var/lib/gh-work"
      ];
      added = [
        "BindPaths=-/var/lib/gh-work"
      ]
      ++ map (step: "ExecStartPre=${step}") (steps {
        instance = "ephemeral";
        work = "/var/lib/gh-work";
      })
      ++ [
        "InaccessiblePaths=-/var/lib/github-runner-registrations"
        "TimeoutStartSec=10min"
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

  "two runners make two units" = {
    expected = [
      "github-runner-ephemeral"
      "github-runner-persistent"
    ];
    actual = builtins.attrNames rendered.services;
  };

  "a disabled runner makes no unit, no ledger directory and no objection" = {
    expected = {
      services = { };
      tmpfilesRules = [ ];
      failures = [ ];
    };
    actual = {
      inherit
        (host {
          runners.one = {
            enable = false;
            url = "not even a url";
          };
        })
        services
        tmpfilesRules
        failures
        ;
    };
  };

  "the ledger directory is root's alone and made once" = {
    expected = [ "d /var/lib/github-runner-registrations 0700 root root - -" ];
    actual = rendered.tmpfilesRules;
  };
}

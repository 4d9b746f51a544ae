# Defaults, types and what becomes of single options.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  evaluated = changes: (host { runners.one = runner // changes; }).runners.one;
  manifest =
    instance: configured: (host { runners.${instance} = configured; }).manifests.${instance}.text;

  accepted = changes: (builtins.tryEval (builtins.deepSeq (evaluated changes) true)).success;
in
{
  "defaults are nixpkgs'" = {
    expected = {
      enable = true;
      ephemeral = false;
      extraEnvironment = { };
      extraLabels = [ ];
      extraPackages = [ ];
      group = null;
      name = "one";
      noDefaultLabels = false;
      nodeRuntimes = [ "node24" ];
      replace = false;
      runnerGroup = null;
      serviceOverrides = { };
      tokenFile = "/run/secrets/token";
      tokenType = "auto";
      url = "https://github.com/owner/repository";
      user = null;
      workDir = null;
    };
    actual = removeAttrs (evaluated { }) [ "package" ];
  };

  "a runner is off unless switched on" = {
    expected = false;
    actual = (host { runners.one = removeAttrs runner [ "enable" ]; }).runners.one.enable;
  };

  "values of a wrong type are refused" = {
    expected = [ ];
    actual = lib.filter accepted [
      { tokenFile = "relative/token"; }
      { tokenFile = null; }
      { url = null; }
      { tokenType = "pat"; }
      { nodeRuntimes = [ ]; }
      { nodeRuntimes = [ "node16" ]; }
      { extraLabels = "one"; }
      { replace = "yes"; }
      { unknownOption = true; }
    ];
  };

  "values of the right type are accepted" = {
    expected = [ ];
    actual = lib.filter (changes: !accepted changes) [
      { }
      { tokenType = "registration"; }
      {
        nodeRuntimes = [
          "node20"
          "node24"
        ];
      }
      { extraPackages = [ pkgs.jq ]; }
    ];
  };

  "the Node.js runtimes reach a package that takes them" = {
    expected = [ "node20" ];
    actual = (evaluated { nodeRuntimes = [ "node20" ]; }).package.runtimes;
  };

  "a package without that argument stays as it is" =
    let
      withoutArgument = pkgs.package "own-runner" // {
        override = { nodejs }: throw "must not be called with ${nodejs}";
      };
    in
    {
      expected = [
        "own-runner"
        "plain-runner"
      ];
      actual = [
        (evaluated { package = withoutArgument; }).package.name
        (evaluated { package = pkgs.package "plain-runner"; }).package.name
      ];
    };

  "the helper package can be replaced" =
    let
      patched = pkgs.package "patched-helper";
    in
    {
      expected = true;
      actual =
        lib.all (lib.hasInfix "${patched}/bin/github-runner-helper ")
          (host {
            runners.one = runner;
            extra.services.github-runner-helper.package = patched;
          }).services.github-runner-one.serviceConfig.ExecStartPre;
    };

  "the manifest is version 1 and keeps null" = {
    expected = {
      version = 1;
      instance = "runner1";
      registration = {
        ephemeral = false;
        extraLabels = [ ];
        name = null;
        noDefaultLabels = false;
        runnerGroup = null;
        tokenFile = "/run/secrets/token";
        url = "https://github.com/owner/repository";
        workDir = null;
      };
      replace = false;
      tokenType = "auto";
      listener = "${pkgs.github-runner}/bin/Runner.Listener";
    };
    actual = builtins.fromJSON (manifest "runner1" (runner // { name = null; }));
  };

  "the manifest carries every field of the registration" =
    let
      inherit (import ../runners.nix { inherit pkgs; }) ephemeral;
    in
    {
      expected = {
        version = 1;
        instance = "ephemeral";
        registration = {
          inherit (ephemeral)
            ephemeral
            extraLabels
            name
            noDefaultLabels
            runnerGroup
            tokenFile
            url
            workDir
            ;
        };
        replace = true;
        tokenType = "access";
        listener = "${pkgs.github-runner}/bin/Runner.Listener";
      };
      actual = builtins.fromJSON (
        manifest "ephemeral" (
          ephemeral
          // {
            replace = true;
            tokenType = "access";
          }
        )
      );
    };
}

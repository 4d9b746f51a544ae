# An image for runners on demand: what the user data expects of it.
{ lib, pkgs, ... }:

let
  inherit (builtins) readFile;
  package = pkgs.package "github-runner";
  module = import ../../../nixos/machines/runner.nix {
    config.services.github-runner-image = { inherit package; };
    inherit lib;
    pkgs = pkgs // {
      github-runner = package;
    };
  };
  inherit (module.config.systemd) services;
  script = readFile ../../../src/frontend/ondemand/kind/user-data.sh;
  debian = readFile ../../fixtures/github-runner-user-data.service;
  userData = services.github-runner-user-data;
  runner = services.github-actions-runner;
in
{
  "the user data finds user, directory and unit of an image for runners where it looks for them" = {
    expected = {
      directory = true;
      home = true;
      unit = true;
      user = true;
    };
    actual = {
      directory = lib.hasInfix "\ndirectory=${runner.environment.RUNNER_ROOT}\n" script;
      home = lib.hasPrefix "${module.config.users.users.runner.home}/" runner.environment.RUNNER_ROOT;
      unit =
        services ? github-actions-runner && lib.hasInfix "\nunit=github-actions-runner.service\n" script;
      user =
        module.config.users.users ? ${runner.serviceConfig.User} && lib.hasInfix "id -u runner" script;
    };
  };

  "an image of Debian and one of NixOS take the same credential" = {
    expected = true;
    actual = lib.all (line: lib.hasInfix "\n${line}\n" debian) [
      "ConditionCredential=${userData.unitConfig.ConditionCredential}"
      "FailureAction=${userData.unitConfig.FailureAction}"
      "LoadCredential=${userData.serviceConfig.LoadCredential}"
      "StandardOutput=${userData.serviceConfig.StandardOutput}"
      "Type=${userData.serviceConfig.Type}"
    ];
  };

  "nothing starts the runner of an image but its user data" = {
    expected = {
      starts = "${package}/bin/Runner.Listener run --startuptype service";
      wanted = false;
    };
    actual = {
      starts = runner.serviceConfig.ExecStart;
      wanted = runner ? wantedBy;
    };
  };
}

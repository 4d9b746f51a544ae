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

  # Without what it imports.
  onEc2 = import ../../../nixos/machines/runner-ec2.nix {
    config.system.nixos.release = "26.05";
    inherit lib pkgs;
    modulesPath = "/nixos/modules";
  };
  ec2UserData = onEc2.systemd.services.github-runner-user-data-ec2;
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

  "an image for EC2 is nixpkgs' with the runner, and nothing else tells it what to do" = {
    expected = {
      imports = [
        "/nixos/modules/virtualisation/amazon-image.nix"
        "runner.nix"
      ];
      amazon-init = false;
      amazon-ssm-agent = false;
      openssh = false;
    };
    actual = {
      imports = map (file: if builtins.isPath file then baseNameOf file else file) onEc2.imports;
      amazon-init = onEc2.virtualisation.amazon-init.enable;
      amazon-ssm-agent = onEc2.services.amazon-ssm-agent.enable.content;
      openssh = onEc2.services.openssh.enable.content;
    };
  };

  "an instance of EC2 powers off without user data, and if it fails or never comes" = {
    expected = {
      looks = "/bin/test -s /etc/ec2-metadata/user-data";
      runs = "/bin/bash /etc/ec2-metadata/user-data";
      requires = [ ];
      FailureAction = "poweroff-force";
      JobTimeoutAction = "poweroff-force";
      JobTimeoutSec = "10min";
    };
    actual = {
      looks = lib.removePrefix "${pkgs.coreutils}" ec2UserData.serviceConfig.ExecStartPre;
      runs = lib.removePrefix "${pkgs.bashInteractive}" ec2UserData.serviceConfig.ExecStart;
      requires = ec2UserData.requires or [ ];
      inherit (ec2UserData.unitConfig) FailureAction JobTimeoutAction JobTimeoutSec;
    };
  };

  "jobs on an instance of EC2 are root if they want to, by the runner's user" = {
    expected = [ runner.serviceConfig.User ];
    actual = lib.concatMap (rule: rule.users) (
      lib.filter (
        rule:
        lib.any (entry: entry.command == "ALL" && builtins.elem "NOPASSWD" entry.options) rule.commands
      ) onEc2.security.sudo.extraRules
    );
  };
}

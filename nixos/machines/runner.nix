# For the configuration of a NixOS system that is an image of machines for runners on demand: it runs
# the user data that a machine was handed, and has the runner that this starts. Names and places
# are those of src/frontend/ondemand/kind/user-data.sh, which brings the registration.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  credential = "github-runner.user-data";
  home = "/home/runner";
  directory = "${home}/actions-runner";
in
{
  options.services.github-runner-image.package = lib.mkOption {
    type = lib.types.package;
    default = pkgs.github-runner;
    defaultText = lib.literalExpression "pkgs.github-runner";
    description = ''
      The runner, as nixpkgs packages it: with `bin/Runner.Listener`, which has its files in `$RUNNER_ROOT`.
    '';
  };

  config = {
    # What steps of jobs call besides is the image's own.
    environment.systemPackages = [
      pkgs.bashInteractive
      pkgs.git
    ];

    users.users.runner = {
      isNormalUser = true;
      group = "runner";
      inherit home;
    };
    users.groups.runner = { };

    systemd.services = {
      # An instance of Incus has cloud-init in its place.
      github-runner-user-data = {
        description = "User data of a machine for a GitHub Actions runner";
        wantedBy = [ "multi-user.target" ];
        unitConfig = {
          ConditionCredential = credential;
          FailureAction = "poweroff-force";
        };
        serviceConfig = {
          Type = "oneshot";
          LoadCredential = credential;
          ExecStart = "${pkgs.bashInteractive}/bin/bash %d/${credential}";
          StandardOutput = "journal+console";
        };
      };

      # Started by the user data, which says when it is ready and what its end is.
      github-actions-runner = {
        description = "GitHub Actions runner";
        # systemd-notify and all that the image has.
        path = [
          "/run/wrappers"
          "/run/current-system/sw"
        ];
        environment.RUNNER_ROOT = directory;
        serviceConfig = {
          User = "runner";
          WorkingDirectory = directory;
          ExecStart = "${config.services.github-runner-image.package}/bin/Runner.Listener run --startuptype service";
        };
      };
    };
  };
}

# For the configuration of a NixOS system that is an image of EC2 for runners on demand: nixpkgs' image of EC2 with the runner
# in it, which runs the user data of its instance once, and powers off if there is none. Shutdown ends such an instance.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:

let
  # Where nixpkgs' image of EC2 puts it.
  userData = "/etc/ec2-metadata/user-data";

  # Stronger than that image, weaker than `mkForce` of a configuration.
  off = lib.mkOverride 75 false;
in
{
  imports = [
    "${modulesPath}/virtualisation/amazon-image.nix"
    ./runner.nix
  ];

  # It would make other user data the configuration of this system, and leaves a machine without user data running.
  virtualisation.amazon-init.enable = false;

  systemd.services = {
    github-runner-user-data-ec2 = {
      description = "User data of an instance of EC2 for a GitHub Actions runner";
      wantedBy = [ "multi-user.target" ];
      # Not required: where that fails, this has to begin and to fail, because nothing powers off for a unit that never began.
      wants = [
        "fetch-ec2-metadata.service"
        "network-online.target"
      ];
      after = [
        "fetch-ec2-metadata.service"
        "network-online.target"
      ];
      path = [
        "/run/wrappers"
        "/run/current-system/sw"
      ];
      # Nobody pays for a machine that waits for its network or for the metadata service.
      unitConfig = {
        FailureAction = "poweroff-force";
        JobTimeoutSec = "10min";
        JobTimeoutAction = "poweroff-force";
      };
      # A switch of a running machine is no second start.
      restartIfChanged = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStartPre = "${pkgs.coreutils}/bin/test -s ${userData}";
        ExecStart = "${pkgs.bashInteractive}/bin/bash ${userData}";
        StandardOutput = "journal+console";
      };
    };

    # There are no host keys.
    print-host-key.enable = off;
  };

  # The machine is what keeps jobs apart, so they may do everything on it.
  security.sudo.extraRules = [
    {
      users = [ "runner" ];
      commands = [
        {
          command = "ALL";
          options = [
            "NOPASSWD"
            "SETENV"
          ];
        }
      ];
    }
  ];

  # Nobody but the user data tells this machine what to do, and nobody reads there.
  services.amazon-ssm-agent.enable = off;
  services.openssh.enable = off;
  documentation.enable = lib.mkDefault false;

  # Each machine is new, and keeps nothing of a release before.
  system.stateVersion = lib.mkDefault config.system.nixos.release;
}

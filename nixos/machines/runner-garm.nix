# For the configuration of a NixOS system that is an image of Incus for runners of GARM: what the user data of an instance
# expects, which its provider and GARM wrote for other distributions. runner-garm-container.nix and runner-garm-vm.nix have the rest.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  home = "/home/runner";
  directory = "${home}/actions-runner";
  runner = config.services.github-runner-image.package;

  script =
    name: text:
    pkgs.writeTextFile {
      inherit name;
      executable = true;
      text = ''
        #!/bin/bash
        export RUNNER_ROOT=${directory}
        ${text}
      '';
    };
  # The runner as its archive has it: scripts with the names that GARM's script calls, which call nixpkgs' package.
  archive = pkgs.linkFarm "actions-runner" (
    builtins.mapAttrs (name: script (baseNameOf name)) {
      "bin/installdependencies.sh" = "# The package has all.";
      "bin/runsvc.sh" = "exec ${runner}/bin/Runner.Listener run --startuptype service";
      "config.sh" = ''exec ${runner}/bin/config.sh "$@"'';
      "run.sh" = ''exec ${runner}/bin/Runner.Listener run "$@"'';
      "svc.sh" = builtins.readFile ./runner-garm-svc.sh;
    }
  );

  units = config.environment.etc."systemd/system".source;
  # Stronger than nixpkgs' images, weaker than `mkForce` of a configuration.
  off = lib.mkOverride 75 false;
in
{
  imports = [ ./runner.nix ];

  # User data of an instance. Its server has it at a socket, under the name that this one has at LXD.
  services.cloud-init = {
    enable = true;
    settings.datasource_list = [
      "LXD"
      "NoCloud"
      "None"
    ];
  };
  # The commands of user data: `su`, and all that the image has.
  systemd.services.cloud-final.path = lib.mkBefore [
    "/run/wrappers"
    "/run/current-system/sw"
  ];

  systemd.tmpfiles.rules = [
    "L /dev/lxd - - - - /dev/incus"
    "L+ /bin/bash - - - - ${pkgs.bashInteractive}/bin/bash"
    # Where GARM's script finds it, and where those of older providers do.
    "d /opt/cache/actions-runner 0755 root root - -"
    "C /opt/cache/actions-runner/latest - - - - ${archive}"
    "d ${home} 0700 runner runner - -"
    "C ${directory} - - - - ${archive}"
    "z ${directory} 0755 runner runner - -"
  ];

  # GARM's script adds the runner's unit there and enables it, so it is no link into the store here but a directory with links.
  environment.etc."systemd/system".enable = lib.mkForce false;
  system.activationScripts.github-runner-units = {
    deps = [ "etc" ];
    text = ''
      mkdir --parents /etc/systemd/system
      cp --archive --no-preserve=mode --remove-destination ${units}/. /etc/systemd/system/
    '';
  };
  # GARM's unit names no PATH.
  systemd.settings.Manager.DefaultEnvironment = "PATH=/run/wrappers/bin:/run/current-system/sw/bin";

  environment.systemPackages = [
    pkgs.curl
    pkgs.gnutar
    pkgs.gzip
    pkgs.jq
  ];

  # The instance is what keeps jobs apart, so they may do everything in it.
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

  # Nobody but the user data tells this instance what to do. nixpkgs' images let root in without a password.
  services.openssh.enable = off;
  users.users.root.initialHashedPassword = lib.mkOverride 75 "!";
  documentation.enable = off;
  documentation.nixos.enable = off;
  # An address from the bridge; what may come in decides its server.
  networking = {
    firewall.enable = lib.mkDefault false;
    hostName = lib.mkDefault "";
    useDHCP = lib.mkDefault false;
    useHostResolvConf = lib.mkDefault false;
    useNetworkd = lib.mkDefault true;
  };
  systemd.network.networks."40-runner" = {
    matchConfig.Name = "e*";
    networkConfig.DHCP = "ipv4";
  };

  # Each instance is new, and keeps nothing of a release before.
  system.stateVersion = lib.mkDefault config.system.nixos.release;
}

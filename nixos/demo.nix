# A machine with one runner that registers with a stand-in for GitHub. For the
# demonstration VM and for tests; it keeps a token in the store, which is fine for
# a token that opens nothing and for nothing else.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  standIns = pkgs.callPackage ./stand-ins.nix {
    github-runner-helper = config.services.github-runner-helper.package;
  };
  address = "127.0.0.1:8080";
  token = "ghp_demonstration";

  # The stand-in reads its script beside the link by which it is called.
  listener = pkgs.runCommand "stand-in-listener" { } ''
    mkdir -p $out/bin
    ln -s ${standIns}/bin/stand-in-listener $out/bin/Runner.Listener
    ln -s ${pkgs.writers.writeJSON "stand-in.json" { github = "http://${address}"; }} \
      $out/bin/stand-in.json
  '';
  knowledge = pkgs.writers.writeJSON "github.json" { pats = [ token ]; };
in
{
  imports = [ ./. ];

  services.github-runners.demo = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/etc/github-runner-token";
    extraLabels = [ "nixos" ];
    package = listener;
  };
  environment.etc.github-runner-token = {
    text = token;
    mode = "0400";
  };

  systemd.services.stand-in-github = {
    description = "Stand-in for GitHub";
    requiredBy = [ "github-runner-demo.service" ];
    before = [ "github-runner-demo.service" ];
    serviceConfig = {
      DynamicUser = true;
      StateDirectory = "stand-in-github";
      ExecStartPre = "${pkgs.coreutils}/bin/install --mode=600 ${knowledge} %S/stand-in-github/github.json";
      ExecStart = "${standIns}/bin/stand-in-github --listen ${address} --address-file %S/stand-in-github/address --state-file %S/stand-in-github/github.json";
      # Listening is the condition for the runner's first step.
      ExecStartPost = pkgs.writeShellScript "wait-for-stand-in" ''
        until [[ -e $STATE_DIRECTORY/address ]]; do ${pkgs.coreutils}/bin/sleep 0.1; done
      '';
      TimeoutStartSec = "30s";
    };
  };

  environment.systemPackages = [ standIns ];

  networking.hostName = "demo";
  services.getty.autologinUser = "root";
  users.motd = ''
    One runner, `demo`, is registered with a stand-in for GitHub. To look around:

      journalctl --unit github-runner-demo
      systemctl restart github-runner-demo
      echo -n another > /etc/github-runner-token; systemctl restart github-runner-demo
      poweroff
  '';
  virtualisation.vmVariant.virtualisation.graphics = false;
  system.stateVersion = lib.trivial.release;
}

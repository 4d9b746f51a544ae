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
  nextToken = "ghp_rotated";
  json = name: value: pkgs.writeText name (builtins.toJSON value);

  listener = pkgs.callPackage ./stand-in-listener.nix {
    inherit standIns;
    script = json "stand-in.json" { github = "http://${address}"; };
  };
  knowledge = json "github.json" {
    pats = [
      token
      nextToken
    ];
  };
in
{
  imports = [ ./. ];

  services.github-runners.demo = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/etc/github-runner-token";
    extraLabels = [ "nixos" ];
    # The stand-in refuses a name that it knows, as GitHub does.
    replace = true;
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
    preStart = ''
      [[ -e $STATE_DIRECTORY/github.json ]] ||
        install --mode=600 ${knowledge} $STATE_DIRECTORY/github.json
    '';
    # The runner may start once requests are answered.
    postStart = ''
      until [[ -e $RUNTIME_DIRECTORY/address ]]; do sleep 0.1; done
    '';
    serviceConfig = {
      DynamicUser = true;
      RuntimeDirectory = "stand-in-github";
      StateDirectory = "stand-in-github";
      ExecStart = "${standIns}/bin/stand-in-github --listen ${address} --address-file %t/stand-in-github/address --state-file %S/stand-in-github/github.json";
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
      echo ${nextToken} > /etc/github-runner-token; systemctl restart github-runner-demo
      poweroff
  '';
  virtualisation.vmVariant.virtualisation.graphics = false;
  system.stateVersion = lib.trivial.release;
}

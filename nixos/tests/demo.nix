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
  standIns = pkgs.callPackage ../packages/stand-ins.nix {
    github-runnerctl = config.services.github-runnerctl.package;
  };
  # Where the stand-in for the runner speaks to it, and where brokers do.
  address = "127.0.0.1:8080";
  apiHost = "api.github.com";
  # Made at every boot, for this machine only.
  certificates = "/run/stand-in-github";
  token = "ghp_demonstration";
  nextToken = "ghp_rotated";
  json = name: value: pkgs.writeText name (builtins.toJSON value);

  listener = pkgs.callPackage ../packages/stand-in-listener.nix {
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
  imports = [ ../. ];

  services.github-runners.demo = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/etc/github-runner-token";
    extraLabels = [ "nixos" ];
    package = listener;
    extraEnvironment.SSL_CERT_FILE = "${certificates}/ca.pem";
  };
  networking.hosts."127.0.0.1" = [ apiHost ];
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
      ${standIns}/bin/stand-in-github --make-ca ${certificates} --host ${apiHost}
    '';
    # The runner may start once requests are answered.
    postStart = ''
      until [[ -e $RUNTIME_DIRECTORY/address ]]; do sleep 0.1; done
    '';
    serviceConfig = {
      DynamicUser = true;
      RuntimeDirectory = "stand-in-github";
      StateDirectory = "stand-in-github";
      ExecStart = lib.concatStringsSep " " [
        "${standIns}/bin/stand-in-github"
        "--listen ${address}"
        "--tls-listen 127.0.0.1:443"
        "--tls-certificate ${certificates}/certificate.pem"
        "--tls-key ${certificates}/key.pem"
        "--address-file %t/stand-in-github/address"
        "--state-file %S/stand-in-github/github.json"
      ];
      # For the port.
      AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" ];
      TimeoutStartSec = "30s";
    };
  };

  environment.systemPackages = [ standIns ];

  networking.hostName = "demo";
  services.getty.autologinUser = "root";
  users.motd = ''
    One runner, `demo`, is registered with a stand-in for GitHub. To look around:

      journalctl --unit github-runner-demo --unit 'github-runner-broker-demo@*'
      systemctl restart github-runner-demo
      echo ${nextToken} > /etc/github-runner-token; systemctl restart github-runner-demo
      poweroff
  '';
  virtualisation.vmVariant.virtualisation.graphics = false;
  system.stateVersion = lib.trivial.release;
}

# A machine with runners on demand behind nginx, whose classes are units of this host, for the scenarios that the
# containers of tests/machine have, too. For tests only.
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
  configured = lib.importJSON ../../tests/machine/on-demand.json;
in
{
  imports = [ ../. ];

  services.github-runner-on-demand = removeAttrs configured [ "classes" ] // {
    enable = true;
    nginx.enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/run/secrets/token";
    # Of the stand-in for GitHub, as is the token: the scenarios write both.
    brokerEnvironment.SSL_CERT_FILE = "/run/stand-in/ca.pem";
    classes = builtins.mapAttrs (
      _: class:
      class
      // {
        local.package = pkgs.callPackage ../packages/stand-in-listener.nix {
          inherit standIns;
          script = "/run/stand-in/listener.json";
        };
      }
    ) (lib.filterAttrs (_: class: class ? local) configured.classes);
  };
  # No certificate here: callers are on this machine.
  services.nginx.virtualHosts."ci.example.org" = {
    enableACME = false;
    forceSSL = false;
  };
  networking.hosts."127.0.0.1" = [ "api.github.com" ];

  environment.systemPackages = [ standIns ];
  # Where the scenarios look for them in containers.
  systemd.tmpfiles.rules = [
    "d /var/lib/images/debian/home/runner/actions-runner/bin 0755 root root - -"
    "L+ /opt/runnerctl - - - - ${config.services.github-runnerctl.package}"
  ];
}

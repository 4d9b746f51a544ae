# Programs, steps and directories that are added to the unit itself.
{ pkgs, ... }:

{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    extraPackages = [ pkgs.jq ];
    serviceOverrides.StateDirectory = [ "ci-cache" ];
  };
  systemd.services.github-runner-builder = {
    path = [ (pkgs.package "cachix") ];
    serviceConfig = {
      ExecStartPre = [ "/run/current-system/sw/bin/true" ];
      StateDirectory = [ "ci-artifacts" ];
    };
  };
}

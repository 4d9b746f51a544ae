# Docker in jobs, by its group and its program.
{ pkgs, ... }:

{
  services.github-runners.docker = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/run/secrets/token";
    extraPackages = [ (pkgs.package "docker") ];
    serviceOverrides.SupplementaryGroups = [ "docker" ];
  };
  systemd.services.github-runner-docker = {
    after = [ "docker.service" ];
    wants = [ "docker.service" ];
  };
}

# Limits on time and on starts, in the unit itself.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
  };
  systemd.services.github-runner-builder = {
    serviceConfig.TimeoutSec = "2h";
    unitConfig.StartLimitIntervalSec = 300;
    unitConfig.StartLimitBurst = 5;
  };
}

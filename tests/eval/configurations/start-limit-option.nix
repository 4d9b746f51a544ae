# The same limit on starts by NixOS' option, and as a default.
{ lib, ... }:

{
  services.github-runners =
    builtins.mapAttrs
      (_: url: {
        enable = true;
        inherit url;
        tokenFile = "/run/secrets/token";
      })
      {
        option = "https://github.com/octo-org/one";
        default = "https://github.com/octo-org/two";
      };
  systemd.services.github-runner-option.startLimitIntervalSec = 300;
  systemd.services.github-runner-default = {
    unitConfig.StartLimitIntervalSec = lib.mkDefault 300;
    serviceConfig.RestartSec = lib.mkDefault 30;
  };
}

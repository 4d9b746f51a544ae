# A runner that works in somebody's home.
{ lib, ... }:

{
  services.github-runners.desk = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    user = "octocat";
    serviceOverrides = {
      ProtectHome = false;
      WorkingDirectory = lib.mkForce "/home/octocat/ci";
    };
    extraEnvironment.HOME = "/home/octocat";
  };
}

# A host behind a proxy, with an exception for one runner.
{ lib, ... }:

{
  networking.proxy.envVars = {
    all_proxy = "http://proxy.example:3128";
    https_proxy = "http://proxy.example:3128";
    no_proxy = "localhost";
  };

  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    extraEnvironment = {
      no_proxy = lib.mkIf true "localhost,cache.example";
      http_proxy = lib.mkIf false (throw "nobody asked for it");
    };
  };
}

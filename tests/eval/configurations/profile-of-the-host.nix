# A user of the runner's own, caches that stay, and the Nix daemon, by options.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    createUser = true;
    cacheDirectory = "/var/cache/ci";
    nix = {
      access = "allowed";
      substituters = [ "https://example.cachix.org" ];
    };
  };
}

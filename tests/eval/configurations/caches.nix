# Directories that jobs may write.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    extraEnvironment.CCACHE_DIR = "/var/cache/ccache";
    serviceOverrides = {
      CacheDirectory = "ci";
      ReadWritePaths = [
        "/nix/var/nix/gcroots/per-user"
        "/var/cache/ccache"
      ];
    };
  };
}

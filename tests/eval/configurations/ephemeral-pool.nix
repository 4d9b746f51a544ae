# Several runners for one job each.
{
  services.github-runners.pool = {
    enable = true;
    url = "https://github.com/octo-org";
    tokenFile = "/run/secrets/token";
    ephemeral = true;
    count = 2;
    workDir = "/var/lib/ci";
    resources.pool.memoryMax = "16G";
  };
}

# The host's engine of containers in jobs that are trusted like root, by an option.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    containers.engine = "docker";
    trustJobsLikeRoot = true;
  };
}

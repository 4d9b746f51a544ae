# A file of variables, given as a Nix path to a file of the target machine.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    serviceOverrides.EnvironmentFile = /nonexistent/ci/jobs.env;
  };
}

# A proxy for one runner, said in the three ways that there are.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    extraEnvironment.https_proxy = "http://proxy.example:3128";
    serviceOverrides.Environment = [ "\"NO_PROXY=localhost\"" ];
  };
  systemd.services.github-runner-builder.environment.http_proxy = "http://proxy.example:3128";
}

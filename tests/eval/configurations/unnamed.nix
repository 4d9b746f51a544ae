# Named after the host, with its own labels only.
{
  networking.hostName = "build-7";
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    name = null;
    noDefaultLabels = true;
    extraLabels = [ "build" ];
    runnerGroup = "trusted";
  };
}

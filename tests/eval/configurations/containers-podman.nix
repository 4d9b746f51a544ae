# Containers without root in jobs, in a unit beside the runner, by an option.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    createUser = true;
    resources.memoryMax = "4G";
    serviceOverrides.IPAddressDeny = [ "10.0.0.0/8" ];
    containers.engine = "podman";
  };
}

# A slice of the host's own for several entries, and limits in systemd's words.
{
  systemd.slices.ci = {
    description = "Continuous integration";
    sliceConfig.CPUQuota = "600%";
  };
  systemd.slices.github-runners-one.description = "The first one";

  services.github-runners =
    builtins.mapAttrs
      (_: resources: {
        enable = true;
        url = "https://github.com/octo-org/example";
        tokenFile = "/run/secrets/token";
        serviceOverrides.Slice = "ci.slice";
        inherit resources;
      })
      {
        one = {
          memoryMax = "8G";
          MemoryHigh = "7G";
          pool.AllowedCPUs = "0-3";
        };
        two.LimitNOFILE = 65536;
      };
}

# Values that depend on something, in every place that takes them.
{ lib, ... }:

{
  services.github-runners.builder = lib.mkMerge [
    {
      enable = lib.mkDefault true;
      url = "https://github.com/octo-org/example";
      tokenFile = "/run/secrets/token";
      serviceOverrides = {
        MemoryMax = lib.mkIf true "4G";
        Nice = lib.mkDefault 5;
        SupplementaryGroups = lib.mkIf false (throw "nobody asked for it");
      };
    }
    (lib.mkIf true {
      extraLabels = lib.mkAfter [ "last" ];
      extraEnvironment.CI = lib.mkForce "1";
    })
    { extraLabels = [ "first" ]; }
  ];
}

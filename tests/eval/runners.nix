# The two runners whose units nixpkgs' module was seen to render, and the packages
# that they are rendered with.
{ pkgs }:

{
  persistent = {
    enable = true;
    url = "https://github.com/owner/repository";
    tokenFile = "/run/secrets/github-runner/persistent.token";
    extraLabels = [
      "nixos"
      "x86_64"
    ];
    replace = true;
  };

  ephemeral = {
    enable = true;
    url = "https://github.com/organization";
    tokenFile = "/run/secrets/github-runner/ephemeral.token";
    ephemeral = true;
    name = "fast-one";
    noDefaultLabels = true;
    extraLabels = [ "fast" ];
    runnerGroup = "trusted";
    user = "gh-runner";
    group = "gh-runner";
    workDir = "/var/lib/gh-work";
    extraPackages = [ pkgs.jq ];
    extraEnvironment.CI_CACHE = "/var/cache/ci";
    serviceOverrides = {
      ProtectHome = "read-only";
      MemoryMax = "4G";
    };
  };
}

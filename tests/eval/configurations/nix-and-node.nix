# Builds that garbage collection waits for, programs of other systems, and actions for a Node.js
# that nobody has any more, by options.
{
  services.github-runners.builder = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    nix.holdGarbageCollection = true;
    hostedToolchains = true;
    nodeAliases.node20 = "node24";
  };
}

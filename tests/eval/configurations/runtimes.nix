# Both versions of Node.js, with a package of an older release that has them.
{ pkgs, ... }:

let
  both = [
    "node20"
    "node24"
  ];
in
{
  services.github-runners.old = {
    enable = true;
    url = "https://github.com/octo-org/example";
    tokenFile = "/run/secrets/token";
    package = pkgs.runner { standard = both; };
    nodeRuntimes = both;
  };
}

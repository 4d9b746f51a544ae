# Entries made by a function, as where there is no `count`.
{ lib, ... }:

{
  services.github-runners = builtins.listToAttrs (
    map (
      number:
      lib.nameValuePair "runner-${toString number}" {
        enable = true;
        url = "https://github.com/octo-org/example";
        tokenFile = "/run/secrets/token-${toString number}";
        ephemeral = true;
        replace = true;
        extraLabels = [ "nix" ];
      }
    ) (lib.range 1 2)
  );
}

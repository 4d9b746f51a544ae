# A token of sops-nix, whose option says where it will be.
{ config, lib, ... }:

{
  options.sops.secrets = lib.mkOption {
    type = lib.types.attrsOf (
      lib.types.submodule (
        { name, ... }:
        {
          options.path = lib.mkOption {
            type = lib.types.str;
            default = "/run/secrets/${name}";
          };
        }
      )
    );
  };

  config = {
    sops.secrets."github-runner/token" = { };
    services.github-runners.builder = {
      enable = true;
      url = "https://github.com/octo-org/example";
      tokenFile = config.sops.secrets."github-runner/token".path;
      replace = true;
      extraLabels = [ "nixos" ];
    };
  };
}

# An App whose key agenix decrypts, for two accounts.
{ config, lib, ... }:

{
  options.age.secrets = lib.mkOption {
    type = lib.types.attrsOf lib.types.attrs;
  };

  config = {
    age.secrets.app.path = "/run/agenix/app";
    services.github-runners.ci = {
      enable = true;
      ephemeral = true;
      githubApp = {
        id = 123456;
        privateKeyFile = config.age.secrets.app.path;
      };
      orgs.octo-org = { };
      orgs.example = {
        login = "example/site";
        count = 2;
      };
    };
  };
}

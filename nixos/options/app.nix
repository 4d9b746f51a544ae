# A GitHub App that registers runners, in place of a token.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options = {
    id = mkOption {
      type = types.coercedTo types.int toString types.str;
      example = "Iv23liExampleExample";
      description = "Client id or number of the App, from its page at GitHub.";
    };

    login = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "octo-org";
      description = ''
        Account that installed the App. `null` stands for the owner of {option}`url`, and nothing else is accepted: an
        App can administer runners only where it is installed. With several accounts in {option}`orgs` leave it `null`.
      '';
    };

    privateKeyFile = mkOption {
      type = types.path;
      example = "/run/secrets/github-runner/app.pem";
      description = ''
        File on the target machine that holds the private key of the App, as GitHub offers it for download (PEM). Write
        the path as a string: a Nix path or a file in the store is refused, because everybody on the machine can read the
        store. Only root needs to be able to read the file, and a start is refused if the
        user of the unit could, as with {option}`tokenFile`.
      '';
    };

    installationId = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 12345678;
      description = "Number of the installation. `null` has it looked up by {option}`url`, for each account of {option}`orgs` its own.";
    };
  };
}

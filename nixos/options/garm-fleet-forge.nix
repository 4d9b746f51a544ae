# Whom a fleet of GARM serves: forges, credentials, repositories and organizations.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  entity = {
    options = {
      credentials = mkOption {
        type = types.str;
        example = "octo";
        description = "Name of the credentials, of {option}`services.garm-fleet.credentials`, by which GARM registers runners.";
      };

      webhookSecretFile = mkOption {
        type = types.path;
        example = "/run/secrets/garm/webhook";
        description = ''
          File on the target machine with the secret that GitHub signs webhooks with, on one line. GARM wants one of everybody whom it
          serves, also where scale sets need no webhook; `openssl rand -hex 32` makes one.
        '';
      };

      installWebhook = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether GARM puts its webhook into GitHub's settings, for which its credentials need the right. Pools need it, or one that you
          made; scale sets do not.
        '';
      };

      poolBalancer = mkOption {
        type = types.enum [
          "pack"
          "roundrobin"
        ];
        default = "roundrobin";
        description = "Which of several pools with the labels of a job gets it: each in turn, or the first until it is full.";
      };
    };
  };

  url =
    example: description:
    mkOption {
      type = types.str;
      inherit example description;
    };
in
{
  options.services.garm-fleet = {
    endpoints = mkOption {
      default = { };
      description = "Servers of GitHub besides `github.com`, which GARM has by itself.";
      type = types.attrsOf (
        types.submodule {
          options = {
            description = mkOption {
              type = types.str;
              default = "";
              description = "What GARM shows beside the name.";
            };
            baseUrl = url "https://github.example" "Address of the server, as the browser shows it.";
            apiBaseUrl = url "https://github.example/api/v3" "Address of its API.";
            uploadBaseUrl = url "https://github.example/api/uploads" "Address of its uploads.";
            caCertificateFile = mkOption {
              type = types.nullOr types.path;
              default = null;
              example = "/etc/ssl/github.example.pem";
              description = "Certificate of the authority that signed the server's, for GARM and guests.";
            };
          };
        }
      );
    };

    credentials = mkOption {
      default = { };
      example = {
        octo.app = {
          appId = 123456;
          installationId = 7890123;
          keyFile = "/run/secrets/garm/app.pem";
        };
      };
      description = ''
        Credentials of GitHub by names. Each has a token or an App. They reach GARM through the pass, which reads the files; nothing of them is
        in the store.
      '';
      type = types.attrsOf (
        types.submodule {
          options = {
            endpoint = mkOption {
              type = types.str;
              default = "github.com";
              description = "Server: `github.com`, or one of {option}`services.garm-fleet.endpoints`.";
            };
            description = mkOption {
              type = types.str;
              default = "";
              description = "What GARM shows beside the name.";
            };
            tokenFile = mkOption {
              type = types.nullOr types.path;
              default = null;
              example = "/run/secrets/garm/token";
              description = "File on the target machine with an access token, on one line.";
            };
            app = mkOption {
              default = null;
              description = "A GitHub App, in the place of a token.";
              type = types.nullOr (
                types.submodule {
                  options = {
                    appId = mkOption {
                      type = types.ints.positive;
                      description = "The App ID, which is a number.";
                    };
                    installationId = mkOption {
                      type = types.ints.positive;
                      description = "Number of its installation, which is the end of the address of that page.";
                    };
                    keyFile = mkOption {
                      type = types.path;
                      example = "/run/secrets/garm/app.pem";
                      description = "File on the target machine with the private key.";
                    };
                  };
                }
              );
            };
          };
        }
      );
    };

    repositories = mkOption {
      type = types.attrsOf (types.submodule entity);
      default = { };
      example = {
        "octo-org/example" = {
          credentials = "octo";
          webhookSecretFile = "/run/secrets/garm/webhook";
        };
      };
      description = "Repositories that GARM serves, by `owner/name`.";
    };

    organizations = mkOption {
      type = types.attrsOf (types.submodule entity);
      default = { };
      example = {
        octo-org = {
          credentials = "octo";
          webhookSecretFile = "/run/secrets/garm/webhook";
        };
      };
      description = "Organizations that GARM serves.";
    };
  };
}

# A fleet of GARM to which nobody can object, of as few lines as there can be.
{ pkgs }:

{
  enable = true;
  garm.package = pkgs.package "garm";
  jwtSecretFile = "/run/secrets/garm/jwt";
  databasePassphraseFile = "/run/secrets/garm/passphrase";
  admin.passwordFile = "/run/secrets/garm/admin";
  credentials.octo.app = {
    appId = 1;
    installationId = 2;
    keyFile = "/run/secrets/garm/app.pem";
  };
  organizations.octo-org = {
    credentials = "octo";
    webhookSecretFile = "/run/secrets/garm/webhook";
  };
  scaleSets.nixos.entity = "octo-org";
}

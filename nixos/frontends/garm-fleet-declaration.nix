# What GARM should have, as `github-runnerctl fleet apply` reads it (version 1), and the secrets behind it. A pure function of
# the options. The unit of passes finds secrets where systemd puts them, root where they are.
{
  lib,
  # Value of `services.garm-fleet`.
  options,
  # Name → provider, its settings for root, as a path, and how root reaches its server.
  providers,
  configOf,
  serverOf,
  # Addresses as guests and GitHub have them; the second may be null.
  guestUrl,
  webhookUrl,
  # Value of `services.github-runnerctl.metrics.textfileDirectory`.
  textfileDirectory,
}:

let
  given = lib.filterAttrs (_: value: value != null);
  text = value: if value == null then null else toString value;
  # A `/` is no part of a file's name, and GitHub has no `+` in names.
  webhookOf = name: "webhook-${builtins.replaceStrings [ "/" ] [ "+" ] name}";
  credentialOf = name: "credentials-${name}";
  authorityOf = name: "authority-${name}";

  files =
    given { admin-password = text options.admin.passwordFile; }
    // lib.mapAttrs' (
      name: credentials:
      lib.nameValuePair (credentialOf name) (
        text (if credentials.app != null then credentials.app.keyFile else credentials.tokenFile)
      )
    ) options.credentials
    // lib.mapAttrs' (
      name: entity: lib.nameValuePair (webhookOf name) (text entity.webhookSecretFile)
    ) (options.repositories // options.organizations)
    # No secrets, but wherever they are, the pass sees what systemd hands to it.
    // lib.mapAttrs' (
      name: endpoint: lib.nameValuePair (authorityOf name) (text endpoint.caCertificateFile)
    ) (lib.filterAttrs (_: endpoint: endpoint.caCertificateFile != null) options.endpoints);
  poolOf = pool: {
    inherit (pool)
      bootstrapTimeoutMinutes
      enabled
      entity
      extraSpecs
      flavor
      image
      maxRunners
      minIdleRunners
      osArch
      osType
      provider
      runnerGroup
      runnerPrefix
      ;
  };
in
{
  # Name of a credential → file.
  inherit files;

  # `at` makes the path of a secret from the name of its credential.
  value =
    at:
    let
      entityOf = name: entity: {
        inherit (entity) credentials installWebhook poolBalancer;
        webhookSecretFile = at (webhookOf name);
      };
    in
    {
      version = 1;
      api = "http://127.0.0.1:${toString options.garm.port}";
      admin = {
        inherit (options.admin) email user;
        passwordFile = at "admin-password";
      };
      controller = given {
        metadataUrl = "${guestUrl}/api/v1/metadata";
        callbackUrl = "${guestUrl}/api/v1/callbacks";
        inherit webhookUrl;
      };
      endpoints = builtins.mapAttrs (
        name: endpoint:
        given (
          endpoint
          // {
            caCertificateFile = if endpoint.caCertificateFile == null then null else at (authorityOf name);
          }
        )
      ) options.endpoints;
      credentials = builtins.mapAttrs (
        name: credentials:
        {
          inherit (credentials) description endpoint;
        }
        // (
          if credentials.app != null then
            {
              app = {
                inherit (credentials.app) appId installationId;
                keyFile = at (credentialOf name);
              };
            }
          else
            { token.file = at (credentialOf name); }
        )
      ) options.credentials;
      repositories = builtins.mapAttrs entityOf options.repositories;
      organizations = builtins.mapAttrs entityOf options.organizations;
      pools = builtins.mapAttrs (_: pool: poolOf pool // { inherit (pool) priority tags; }) options.pools;
      scaleSets = builtins.mapAttrs (
        name: set:
        poolOf set
        // {
          inherit name;
          inherit (set) labels;
        }
      ) options.scaleSets;
      # Looked at by root, who has the files themselves.
      providers = builtins.mapAttrs (name: provider: {
        command = "${options.provider.package}/bin/garm-provider-incus-lxd";
        config = configOf name;
        server = serverOf name provider;
      }) providers;
      stateFile = "/var/lib/garm-fleet/state.json";
      textfileDirectory = text textfileDirectory;
    };
}

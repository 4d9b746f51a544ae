# What GARM and its providers read. Pure functions of the options. No secret is in it: where one belongs, GARM's settings have
# a mark, and garm-fleet-config.sh puts the secret in its place when GARM starts.
{
  lib,
  # Value of `services.garm-fleet`.
  options,
}:

let
  toml = import ./garm-fleet-toml.nix { inherit lib; };
  given = lib.filterAttrs (_: value: value != null);
  # A path as it is: interpolating one would copy a secret into the store.
  text = value: if value == null then null else toString value;

  # Where the host's own pair is, and what a unit calls what systemd hands to it.
  made = "/var/lib/garm-fleet-incus";

  # Name → provider, with that of this host.
  providers =
    lib.optionalAttrs options.incus.enable {
      incus = {
        url = "https://${
          # On the way out no address can be all of them.
          if lib.hasPrefix ":" options.incus.address then
            "127.0.0.1${options.incus.address}"
          else
            options.incus.address
        }";
        socket = null;
        inherit (options.incus) project instanceType;
        serverCertificateFile = "${made}/server.crt";
        serverCertificate = null;
        clientCertificateFile = null;
        clientKeyFile = null;
        imageRemotes = { };
      };
    }
    // options.providers;

  # Provider → what it is handed: name of the credential → file.
  filesOf =
    name: provider:
    lib.optionalAttrs (provider.url != null && provider.socket == null) (given {
      "${name}-client.crt" =
        if provider.clientCertificateFile != null then
          text provider.clientCertificateFile
        else
          "${made}/client/client.crt";
      "${name}-client.key" =
        if provider.clientKeyFile != null then text provider.clientKeyFile else "${made}/client/client.key";
      "${name}-server.crt" = provider.serverCertificateFile or null;
    });

  # How the provider's server is reached by whoever has these files: name of a credential → path.
  serverOf =
    at: name: provider:
    if provider.socket != null then
      {
        socket = text provider.socket;
        inherit (provider) project;
      }
    else
      given {
        inherit (provider) project url;
        clientCertificate = at "${name}-client.crt";
        clientKey = at "${name}-client.key";
        serverCertificate =
          if provider ? serverCertificateFile then
            at "${name}-server.crt"
          # It is no secret, and may be a path of the configuration.
          else if provider.serverCertificate != null then
            "${provider.serverCertificate}"
          else
            null;
      };
in
{
  inherit made providers;

  # Name of a credential → file, for units that speak to all servers.
  files = lib.zipAttrsWith (_: builtins.head) (lib.mapAttrsToList filesOf providers);

  inherit serverOf;

  # The provider's own settings, for whoever has the files there.
  providerText =
    at: name: provider:
    let
      server = serverOf at name provider;
    in
    toml (
      given {
        unix_socket_path = server.socket or null;
        url = server.url or null;
        client_certificate = server.clientCertificate or null;
        client_key = server.clientKey or null;
        tls_server_certificate = server.serverCertificate or null;
        project_name = provider.project;
        include_default_profile = false;
        instance_type = provider.instanceType;
      }
      // lib.optionalAttrs (provider.imageRemotes != { }) {
        image_remotes = builtins.mapAttrs (_: addr: {
          inherit addr;
          protocol = "simplestreams";
        }) provider.imageRemotes;
      }
    );

  # GARM's settings as a value. `secret` makes the value of a secret from the name of its credential, `configOf` the path of a
  # provider's settings from its name.
  settings =
    { secret, configOf }:
    let
      own = {
        default.enable_webhook_management = true;
        logging = {
          log_format = "text";
          log_level = "info";
        };
        jwt_auth = {
          secret = secret "jwt-secret";
          time_to_live = "8760h";
        };
        # Others see what nginx shows.
        apiserver = {
          bind = "127.0.0.1";
          inherit (options.garm) port;
          use_tls = false;
        };
        database = {
          backend = "sqlite3";
          passphrase = secret "database-passphrase";
          sqlite3.db_file = "/var/lib/garm/garm.db";
        };
      };
      merge =
        first: second:
        first
        // builtins.mapAttrs (
          name: value:
          if builtins.isAttrs value && builtins.isAttrs (first.${name} or null) then
            merge first.${name} value
          else
            value
        ) second;
    in
    merge own options.garm.settings
    // {
      # Without the interface's version, see docs/garm.md.
      provider =
        lib.mapAttrsToList (name: _: {
          inherit name;
          description = "Instances of Incus or LXD";
          provider_type = "external";
          external = {
            provider_executable = "${options.provider.package}/bin/garm-provider-incus-lxd";
            config_file = configOf name;
          };
        }) providers
        ++ options.garm.settings.provider or [ ];
    };

  inherit toml;
}

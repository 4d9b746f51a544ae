# A fleet of GARM: what it renders, and what it hands to whom.
{
  lib,
  pkgs,
  host,
  ...
}:

let
  inherit (builtins) fromJSON readFile;

  fleet = import ../garm-fleet-options.nix { inherit pkgs; };
  hostWith =
    changes: host { extra.imports = [ { services.garm-fleet = fleet; } ] ++ lib.toList changes; };
  few = hostWith { };
  # Everything that there is, on two hosts.
  many = hostWith {
    services.garm-fleet = {
      domain = "garm.example.org";
      guestUrl = "https://guests.example.org";
      garm.settings.logging.log_level = "debug";
      endpoints.ghes = {
        baseUrl = "https://github.example";
        apiBaseUrl = "https://github.example/api/v3";
        uploadBaseUrl = "https://github.example/api/uploads";
        caCertificateFile = "/etc/ssl/github.example.pem";
      };
      credentials.token = {
        endpoint = "ghes";
        tokenFile = "/run/secrets/garm/token";
      };
      repositories."octo-org/example" = {
        credentials = "token";
        webhookSecretFile = "/run/secrets/garm/webhook-example";
        installWebhook = true;
      };
      pools.small = {
        entity = "octo-org/example";
        provider = "second";
        image = "images:debian/13/cloud";
        tags = [ "incus" ];
        minIdleRunners = 1;
        extraSpecs.cpu = 4;
      };
      providers.second = {
        url = "https://192.0.2.20:8443";
        serverCertificate = "/etc/garm/second.crt";
        imageRemotes.images = "https://images.linuxcontainers.org";
      };
      incus = {
        limits = {
          instances = 8;
          memory = "48GiB";
        };
        network.reach = [
          {
            address = "192.0.2.30/32";
            port = "443";
          }
        ];
        flavors.large = {
          cpu = "8";
          memory = "16GiB";
          disk = "40GiB";
          nesting = true;
        };
        trusted.third = "/etc/garm/third.crt";
      };
    };
  };
  partsOf =
    host:
    import ../../../nixos/frontends/garm-fleet-parts.nix {
      inherit lib pkgs;
      options = host.config.services.garm-fleet;
      client = pkgs.incus;
      runnerctl = pkgs.github-runnerctl;
      inherit (pkgs) systemd;
      textfileDirectory = null;
    };
  parts = partsOf many;

  # Laid out for whoever reads it: one key on a line.
  pretty =
    let
      go =
        indent: value:
        let
          deeper = indent + "  ";
          list =
            open: close: entries:
            if entries == [ ] then
              "${open}${close}"
            else
              "${open}\n${lib.concatStringsSep ",\n" (map (entry: deeper + entry) entries)}\n${indent}${close}";
        in
        if builtins.isList value then
          list "[" "]" (map (go deeper) value)
        else if builtins.isAttrs value then
          list "{" "}" (lib.mapAttrsToList (name: inner: "${builtins.toJSON name}: ${go deeper inner}") value)
        else
          builtins.toJSON value;
    in
    value: go "" value + "\n";
  jsonOf = file: pretty (fromJSON file.text);
  nginxOf = host: pretty host.config.services.nginx;

  golden = name: actual: {
    name = "the unit ${name} is the golden one";
    value = {
      expected = readFile (../golden + "/${name}");
      inherit actual;
    };
  };

  # A nixpkgs that has a module for GARM.
  withModule = hostWith {
    imports = [
      {
        options.services.garm = {
          enable = lib.mkOption {
            type = lib.types.bool;
            default = false;
          };
          package = lib.mkOption { type = lib.types.package; };
          settings = lib.mkOption { type = lib.types.attrs; };
        };
      }
    ];
  };
  onlyInstances = hostWith {
    services.garm-fleet = {
      garm.enable = lib.mkForce false;
      guestUrl = "http://192.0.2.10:8080";
      incus.address = "192.0.2.20:8443";
      incus.trusted.first = "/etc/garm/first.crt";
    };
  };
in
builtins.listToAttrs [
  (golden "garm.service" few.unitTexts."garm.service")
  (golden "garm-fleet.service" few.unitTexts."garm-fleet.service")
  (golden "garm-fleet.timer" few.unitTexts."garm-fleet.timer")
  (golden "garm-fleet-incus.service" few.unitTexts."garm-fleet-incus.service")
  (golden "garm-fleet-incus.timer" few.unitTexts."garm-fleet-incus.timer")
  (golden "garm-config.toml" parts.template.text)
  (golden "garm-provider-incus.toml" parts.providerFilesOfGarm.incus.text)
  (golden "garm-provider-second.toml" parts.providerFiles.second.text)
  (golden "garm-preseed.json" (pretty many.config.virtualisation.incus.preseed))
  (golden "garm-fleet-incus.json" (jsonOf (lib.last parts.incusFiles)))
  (golden "garm-fleet.json" (jsonOf many.etc."github-runners/garm-fleet.json".source))
  (golden "garm-fleet-of-pass.json" (jsonOf parts.declarationOfPass))
  (golden "garm-guests.nft" few.config.networking.nftables.tables.garm-fleet.content)
  (golden "garm-nginx.json" (nginxOf few))
  (golden "garm-nginx-names.json" (nginxOf many))
]
// {
  "a fleet is a dozen lines, to which nobody can object" = {
    expected = {
      failures = [ ];
      few = [ ];
    };
    actual = {
      inherit (many) failures;
      few = few.failures;
    };
  };

  "a host without a fleet has nothing of one" = {
    expected = [ ];
    actual =
      let
        none = host { };
      in
      lib.filter (lib.hasInfix "garm") (
        builtins.attrNames (none.services // none.timers // none.etc // none.config.users.users)
      )
      ++ lib.optional (none.config.virtualisation.incus != { }) "incus"
      ++ lib.optional (
        (none.config.networking.nftables.enable || none.config.networking.nftables.tables != { })
      ) "nftables"
      ++ lib.optional none.config.services.nginx.enable "nginx";
  };

  "a preseed, which overwrites whatever it finds, names nothing that has an owner" = {
    expected = {
      preseed = [ "config" ];
      marked = [
        "acl"
        "network"
        "project"
        "storage"
      ];
    };
    actual =
      let
        settings = fromJSON (lib.last parts.incusFiles).text;
      in
      {
        preseed = builtins.attrNames many.config.virtualisation.incus.preseed;
        marked = lib.filter (name: settings.${name}.config."user.garm-fleet" or "" == "yes") (
          builtins.attrNames (lib.filterAttrs (_: value: value ? config) settings)
        );
      };
  };

  "GARM gets its secrets and certificates from systemd, and the pass those of the forge" = {
    expected = {
      garm = [
        "database-passphrase:/run/secrets/garm/passphrase"
        "incus-client.crt:/var/lib/garm-fleet-incus/client/client.crt"
        "incus-client.key:/var/lib/garm-fleet-incus/client/client.key"
        "incus-server.crt:/var/lib/garm-fleet-incus/server.crt"
        "jwt-secret:/run/secrets/garm/jwt"
        "second-client.crt:/var/lib/garm-fleet-incus/client/client.crt"
        "second-client.key:/var/lib/garm-fleet-incus/client/client.key"
      ];
      pass = [
        "admin-password:/run/secrets/garm/admin"
        "authority-ghes:/etc/ssl/github.example.pem"
        "credentials-octo:/run/secrets/garm/app.pem"
        "credentials-token:/run/secrets/garm/token"
        "webhook-octo-org:/run/secrets/garm/webhook"
        "webhook-octo-org+example:/run/secrets/garm/webhook-example"
      ];
    };
    actual = {
      garm = many.services.garm.serviceConfig.LoadCredential;
      pass = many.services.garm-fleet.serviceConfig.LoadCredential;
    };
  };

  "every path of a secret in the pass' declaration is one that systemd hands to it" = {
    expected = true;
    actual =
      let
        value = fromJSON parts.declarationOfPass.text;
        handed = map (
          entry: "/run/credentials/garm-fleet.service/${builtins.head (lib.splitString ":" entry)}"
        ) (many.services.garm-fleet.serviceConfig.LoadCredential);
        named =
          lib.concatMap (entity: [ entity.webhookSecretFile ]) (
            builtins.attrValues (value.repositories // value.organizations)
          )
          ++ [ value.admin.passwordFile ]
          ++ map (endpoint: endpoint.caCertificateFile) (builtins.attrValues value.endpoints)
          ++ map (one: if one ? app then one.app.keyFile else one.token.file) (
            builtins.attrValues value.credentials
          );
      in
      lib.subtractLists handed named == [ ] && lib.subtractLists named handed == [ ];
  };

  "the pass has no way but to this host by IPv4, and sees no secrets and no state of others" = {
    expected = {
      families = [ "AF_INET" ];
      deny = "any";
      allow = "localhost";
      home = true;
      seen = [ ];
    };
    actual =
      let
        unit = many.services.garm-fleet.serviceConfig;
      in
      {
        families = unit.RestrictAddressFamilies;
        deny = unit.IPAddressDeny;
        allow = unit.IPAddressAllow;
        home = unit.ProtectHome;
        seen = lib.subtractLists unit.InaccessiblePaths [
          "-/run/dbus"
          "-/run/incus"
          "-/run/secrets"
          "-/var/lib/garm-fleet-incus"
          "-/var/lib/github-runner-registrations"
          "-/var/lib/incus"
          "-/var/lib/private"
        ];
      };
  };

  "guests reach GARM by a name, where it runs and nowhere else" = {
    expected = {
      here = {
        guard = [ "  meta nfproto ipv4 tcp dport 443 accept" ];
        ports = [
          53
          443
        ];
      };
      elsewhere = {
        guard = [ ];
        ports = [ 53 ];
      };
    };
    actual =
      let
        of = host: {
          guard = lib.filter (lib.hasInfix "443") (
            lib.splitString "\n" host.config.networking.nftables.tables.garm-fleet.content
          );
          ports = host.config.networking.firewall.interfaces.garm0.allowedTCPPorts;
        };
      in
      {
        here = of many;
        elsewhere = of (hostWith {
          services.garm-fleet = {
            garm.enable = lib.mkForce false;
            guestUrl = "https://guests.example.org";
          };
        });
      };
  };

  "the socket of Incus goes to nobody, unless a provider is configured with it" = {
    expected = {
      few = false;
      groups = [ "incus-admin" ];
      key = "unix_socket_path = \"/var/lib/incus/unix.socket\"\n";
    };
    actual =
      let
        bySocket = hostWith {
          services.garm-fleet.providers.second.socket = "/var/lib/incus/unix.socket";
        };
      in
      {
        few = few.services.garm.serviceConfig ? SupplementaryGroups;
        groups = bySocket.services.garm.serviceConfig.SupplementaryGroups;
        key = lib.concatMapStrings (line: "${line}\n") (
          lib.filter (lib.hasInfix "socket") (
            lib.splitString "\n" (partsOf bySocket).providerFilesOfGarm.second.text
          )
        );
      };
  };

  "where nixpkgs has a module for GARM, that one runs it, with the same settings" = {
    expected = {
      enable = true;
      executable = "garm-provider-incus-lxd";
      port = 9997;
      secret = {
        _secret = "/run/secrets/garm/jwt";
      };
      starts = false;
      # Its secrets that module hands over by itself.
      handed = lib.filter (lib.hasPrefix "incus-") few.services.garm.serviceConfig.LoadCredential;
    };
    actual =
      let
        inherit (withModule.config.services.garm) enable settings;
        unit = withModule.services.garm.serviceConfig;
      in
      {
        inherit enable;
        executable = baseNameOf (builtins.head settings.provider).external.provider_executable;
        inherit (settings.apiserver) port;
        inherit (settings.jwt_auth) secret;
        starts = unit ? ExecStart;
        handed = unit.LoadCredential;
      };
  };

  "a host of instances alone has Incus, and neither GARM nor nginx nor a key" = {
    expected = {
      failures = [ ];
      services = [ "garm-fleet-incus" ];
      nginx = false;
      client = null;
      trusted = [
        {
          name = "first";
          file = "/etc/garm/first.crt";
        }
      ];
      reach = "192.0.2.10/32";
      listens = "192.0.2.20:8443";
    };
    actual =
      let
        settings = fromJSON (lib.last (partsOf onlyInstances).incusFiles).text;
      in
      {
        inherit (onlyInstances) failures;
        services = lib.filter (lib.hasInfix "garm") (builtins.attrNames onlyInstances.services);
        nginx = onlyInstances.config.services.nginx.enable;
        inherit (settings) client trusted;
        reach = (builtins.head settings.acl.egress).destination;
        listens = onlyInstances.config.virtualisation.incus.preseed.config."core.https_address";
      };
  };

  "nginx shows guests and GitHub what is theirs, and nothing else of GARM to anybody" = {
    expected = {
      guests = [
        "/"
        "/api/v1/callbacks/"
        "/api/v1/metadata/"
      ];
      public = [
        "/"
        "/webhooks/"
        "= /webhooks"
      ];
      closed = [
        "404"
        "404"
      ];
      one = [
        "/"
        "/api/v1/callbacks/"
        "/api/v1/metadata/"
        "/webhooks/"
        "= /webhooks"
      ];
    };
    actual =
      let
        hosts = many.config.services.nginx.virtualHosts;
        locations = name: builtins.attrNames hosts.${name}.locations;
        one = hostWith {
          services.garm-fleet = {
            domain = "garm.example.org";
            guestUrl = "https://garm.example.org";
          };
        };
      in
      {
        guests = locations "guests.example.org";
        public = locations "garm.example.org";
        closed = map (host: host.locations."/".return) (builtins.attrValues hosts);
        one = builtins.attrNames one.config.services.nginx.virtualHosts."garm.example.org".locations;
      };
  };
}

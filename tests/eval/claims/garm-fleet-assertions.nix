# What a fleet of GARM refuses, with the way out.
{
  lib,
  pkgs,
  host,
  ...
}:

let
  fleet = import ../garm-fleet-options.nix { inherit pkgs; };
  hostWith =
    changes:
    host {
      extra.imports = [
        { services.garm-fleet = fleet; }
        { services.garm-fleet = changes; }
      ];
    };
  failuresOf = changes: (hostWith changes).failures;

  # The changes have one failure, in which this stands.
  refused = changes: text: {
    expected = {
      count = 1;
      said = true;
    };
    actual =
      let
        failures = failuresOf changes;
      in
      {
        count = builtins.length failures;
        said = lib.any (lib.hasInfix text) failures;
      };
  };
  pool = {
    entity = "octo-org";
    tags = [ "incus" ];
  };
in
{
  "a fleet without a GARM is refused with the ways out" = refused {
    garm.package = lib.mkForce null;
  } "nixpkgs of this host has no GARM. Set `garm.package`";
  "a fleet without a secret is refused" = refused {
    jwtSecretFile = lib.mkForce null;
  } "`jwtSecretFile` is missing";
  "a secret in the store is refused" = refused {
    databasePassphraseFile = lib.mkForce "/nix/store/00000000000000000000000000000000-passphrase";
  } "is in the store";
  "a secret that is a Nix path is refused" = refused {
    admin.passwordFile = lib.mkForce ../default.nix;
  } "is a Nix path";
  "a token in GARM's settings is refused" = refused {
    garm.settings.default.note = [ "ghp_NotASecretNotASecretNotASecret000000" ];
  } "`garm.settings` holds a secret";
  "a token or key in anything that ends up in the store is refused" = {
    expected = [ ];
    actual =
      let
        token = "ghp_NotASecretNotASecretNotASecret000000";
        failures = failuresOf {
          scaleSets.nixos.extraSpecs.user_data = "export TOKEN=${token}";
          pools.small = pool // {
            extraSpecs.nested = [ { key = "-----BEGIN RSA PRIVATE KEY----- not one"; } ];
          };
          credentials.octo.description = token;
          endpoints.ghes = {
            description = token;
            baseUrl = "https://github.example";
            apiBaseUrl = "https://github.example/api/v3";
            uploadBaseUrl = "https://github.example/api/uploads";
          };
          providers.second = {
            url = "https://192.0.2.20:8443";
            imageRemotes.images = "https://${token}@images.example";
          };
          incus.flavors.runner.config."environment.TOKEN" = token;
        };
      in
      lib.filter (what: !lib.any (lib.hasInfix "`${what}` holds a secret") failures) [
        "scaleSets.nixos.extraSpecs"
        "pools.small.extraSpecs"
        "credentials.octo.description"
        "endpoints.ghes"
        "providers.second.imageRemotes"
        "incus.flavors.runner.config"
      ];
  };
  "settings of GARM that undo what is promised are refused, each with its way out" = {
    expected = [ ];
    actual =
      let
        failures = failuresOf {
          garm.settings = {
            apiserver = {
              bind = "0.0.0.0";
              port = 80;
              use_tls = true;
            };
            jwt_auth.secret = "not-a-secret";
            database = {
              passphrase = "not-a-secret";
              sqlite3.db_file = "/tmp/garm.db";
            };
          };
        };
      in
      lib.filter (way: !lib.any (lib.hasInfix way) failures) [
        "GARM listens on 127.0.0.1 alone"
        "Use `garm.port`"
        "nginx has certificates"
        "Use `jwtSecretFile`"
        "Use `databasePassphraseFile`"
        "the database is `/var/lib/garm/garm.db`"
      ];
  };
  "credentials with token and App are refused" = refused {
    credentials.octo.tokenFile = "/run/secrets/token";
  } "`credentials.octo` needs `tokenFile` or `app`";
  "credentials of a server that is not there are refused" = refused {
    credentials.octo.endpoint = "ghes";
  } "`credentials.octo.endpoint` (\"ghes\") is none of `endpoints`";
  "an endpoint of the name that exists by itself is refused" = refused {
    endpoints."GitHub.com" = {
      baseUrl = "https://github.example";
      apiBaseUrl = "https://github.example/api/v3";
      uploadBaseUrl = "https://github.example/api/uploads";
    };
  } "`endpoints.GitHub.com` has a name that is none";
  "names that differ by case alone are refused" = refused {
    organizations.Octo-Org = {
      credentials = "octo";
      webhookSecretFile = "/run/secrets/webhook";
    };
  } "`organizations` has \"Octo-Org\" and \"octo-org\", and GARM does not tell case";
  "what the program refuses has no option's type" = {
    expected = {
      taken = [ true ];
      refused = [ ];
    };
    actual =
      let
        evaluates =
          changes:
          (builtins.tryEval (
            builtins.seq (builtins.stringLength
              (hostWith changes).etc."github-runners/garm-fleet.json".source.text
            ) true
          )).success;
        pools = map (changes: {
          pools.small = pool // changes;
        });
      in
      {
        taken = map evaluates (pools [ { priority = 1; } ]);
        refused = lib.filter evaluates (
          pools [
            { priority = -1; }
            { minIdleRunners = -1; }
            { maxRunners = 0; }
            { maxRunners = 100001; }
            { bootstrapTimeoutMinutes = 100001; }
            { image = ""; }
            { flavor = ""; }
            { provider = ""; }
            { runnerPrefix = ""; }
            { tags = [ "" ]; }
          ]
          ++ [
            { credentials.octo.app.appId = lib.mkForce 0; }
            { credentials.octo.app.installationId = lib.mkForce (-1); }
          ]
        );
      };
  };
  "an entity without credentials is refused" = refused {
    organizations.octo-org.credentials = lib.mkForce "other";
  } "`octo-org.credentials` (\"other\") is none of `credentials`, which has `octo`";
  "a repository without an owner is refused" = refused {
    repositories.example = {
      credentials = "octo";
      webhookSecretFile = "/run/secrets/webhook";
    };
  } "`repositories.example` is no repository. Write `owner/name`";
  "a pool for nobody is refused" = refused {
    pools.small = pool // {
      entity = "nobody";
    };
  } "`pools.small.entity` (\"nobody\") is none of";
  "a pool without a label is refused" = refused {
    pools.small = pool // {
      tags = [ ];
    };
  } "`pools.small.tags` is empty";
  "a pool of a provider that is not there is refused" = refused {
    pools.small = pool // {
      provider = "second";
    };
  } "`pools.small.provider` (\"second\") is none of `providers`, which has `incus`";
  "a pool with a flavor that is not there is refused" = refused {
    scaleSets.nixos.flavor = "large";
  } "`scaleSets.nixos.flavor` (\"large\") is none of `incus.flavors`, which has `runner`";
  "a pool with an image that is not there is refused" = refused {
    scaleSets.nixos.image = "debian";
  } "`scaleSets.nixos.image` (\"debian\") is none of `incus.images`, which has `nixos-runner`";
  "a pool that keeps more waiting than it may have is refused" = refused {
    scaleSets.nixos.minIdleRunners = 5;
  } "`scaleSets.nixos` keeps 5 runners waiting";
  "an address of guests with a path is refused" = refused {
    guestUrl = "http://192.0.2.10/garm";
  } "`guestUrl` is no address";
  "an address of guests that is a name without TLS is refused" = refused {
    guestUrl = "http://garm.example.org";
  } "`guestUrl` is no address";
  "an address of guests that is a number with TLS is refused" = refused {
    guestUrl = "https://192.0.2.10";
  } "no authority makes a certificate";
  "an address of guests that takes port 80 from other virtual hosts is refused" = refused {
    domain = "garm.example.org";
    guestUrl = "http://192.0.2.10";
  } "Write a port of its own, such as `http://192.0.2.10:8080`";
  "an address of guests that is the bridge's is taken" = {
    expected = [ ];
    actual = failuresOf { guestUrl = "http://10.213.0.1"; };
  };
  "a domain with a path is refused" = refused {
    domain = "https://garm.example.org";
  } "`domain` (\"https://garm.example.org\") is no name";
  "a provider with two ways is refused" = refused {
    providers.second = {
      url = "https://192.0.2.20:8443";
      socket = "/var/lib/incus/unix.socket";
    };
  } "`providers.second` needs `url` or `socket`";
  "a provider with a certificate and no key is refused" = refused {
    providers.second = {
      url = "https://192.0.2.20:8443";
      clientCertificateFile = "/run/secrets/client.crt";
    };
  } "needs both `clientCertificateFile` and `clientKeyFile`";
  "a second provider of this host's name is refused" = refused {
    providers.incus.url = "https://192.0.2.20:8443";
    scaleSets = lib.mkForce { };
  } "`providers.incus` is that of this host already";
  "storage that would become a file on a loop device is refused" = refused {
    incus.storage.driver = "zfs";
  } "`incus.storage.source` is missing";
  "the project of everybody is refused" = refused {
    incus.project = "default";
  } "`incus.project` (\"default\")";
  "a limit for all without one for each is refused" = refused {
    incus = {
      limits.memory = "48GiB";
      flavors.runner.memory = null;
    };
  } "Set `incus.flavors.runner.memory`";
  "a host without nftables, and so without a guard, is refused" = {
    expected = [ true ];
    actual =
      map (lib.hasInfix "without nftables nothing keeps guests from this host")
        (host {
          extra = {
            services.garm-fleet = fleet;
            networking.nftables.enable = false;
          };
        }).failures;
  };
  "a host with neither GARM nor Incus is refused" = refused {
    garm.enable = false;
    incus.enable = false;
  } "so there is nothing";
}

# Entries that make several runners: which ones, and what each has for itself.
{
  lib,
  host,
  runner,
  ...
}:

let
  of = changes: host { runners.one = runner // changes; };
  units = result: lib.filter (lib.hasPrefix "github-runner-one") (builtins.attrNames result.services);
  own =
    result:
    builtins.mapAttrs (
      _:
      {
        name,
        url,
        workDir,
        ...
      }:
      [
        name
        url
        workDir
      ]
    ) result.instances;

  withoutUrl = removeAttrs runner [ "url" ];
  orgs = changes: { orgs.octo-org = { }; } // changes;
in
{
  "one runner has the plain name" = {
    expected = {
      units = [ "github-runner-one" ];
      own.one = [
        "one"
        "https://github.com/owner/repository"
        "/srv/work"
      ];
    };
    actual =
      let
        result = of { workDir = "/srv/work"; };
      in
      {
        units = units result;
        own = own result;
      };
  };

  "several runners are numbered, and each has a name and a work directory of its own" = {
    expected = {
      units = [
        "github-runner-one-1"
        "github-runner-one-2"
      ];
      own = {
        one-1 = [
          "builder-1"
          "https://github.com/owner/repository"
          "/srv/work/1"
        ];
        one-2 = [
          "builder-2"
          "https://github.com/owner/repository"
          "/srv/work/2"
        ];
      };
    };
    actual =
      let
        result = of {
          count = 2;
          name = "builder";
          workDir = "/srv/work/";
        };
      in
      {
        units = units result;
        own = own result;
      };
  };

  "every account has numbered runners, and none has the plain name" = {
    expected = {
      one-example-1 = [
        "one-example-1"
        "https://github.com/octo-org/example"
        null
      ];
      one-example-2 = [
        "one-example-2"
        "https://github.com/octo-org/example"
        null
      ];
      one-octo-org-1 = [
        "one-octo-org-1"
        "https://github.com/octo-org"
        null
      ];
    };
    actual = own (host {
      runners.one = withoutUrl // {
        orgs.octo-org = { };
        orgs.example = {
          login = "octo-org/example";
          count = 2;
        };
      };
    });
  };

  "an account can have a page, a token and labels of its own" = {
    expected = {
      one-example-1 = {
        url = "https://github.com/example";
        extraLabels = [ "nixos" ];
        tokenFile = null;
        app = true;
      };
      one-octo-org-1 = {
        url = "https://github.example.com/enterprises/octo";
        extraLabels = [
          "nixos"
          "gpu"
        ];
        tokenFile = "/run/secrets/octo-org.token";
        app = false;
      };
      failures = [ ];
      credential = "credential:/run/secrets/octo-org.token";
    };
    actual =
      let
        result = host {
          runners.one = withoutUrl // {
            tokenFile = null;
            githubApp = {
              id = 1;
              privateKeyFile = "/run/secrets/app.pem";
            };
            extraLabels = [ "nixos" ];
            orgs.example = { };
            orgs.octo-org = {
              url = "https://github.example.com/enterprises/octo";
              tokenFile = "/run/secrets/octo-org.token";
              extraLabels = [
                "gpu"
                "nixos"
              ];
            };
          };
        };
      in
      builtins.mapAttrs (_: instance: {
        inherit (instance) extraLabels tokenFile url;
        app = instance.githubApp != null;
      }) result.instances
      // {
        inherit (result) failures;
        credential =
          builtins.head
            result.services."github-runner-broker-one-octo-org-1@".serviceConfig.LoadCredential;
      };
  };

  "accounts with tokens of their own need no other" = {
    expected = [ ];
    actual =
      (host {
        runners.one = withoutUrl // {
          tokenFile = null;
          orgs.octo-org.tokenFile = "/run/secrets/octo-org.token";
        };
      }).failures;
  };

  "accounts of another server, with as many runners as the entry says" = {
    expected = {
      one-octo-org-1 = [
        "one-octo-org-1"
        "https://github.example.com/octo-org"
        "/srv/work/octo-org-1"
      ];
      one-octo-org-2 = [
        "one-octo-org-2"
        "https://github.example.com/octo-org"
        "/srv/work/octo-org-2"
      ];
    };
    actual = own (
      of (orgs {
        url = "https://github.example.com/";
        count = 2;
        workDir = "/srv/work";
      })
    );
  };

  "several runners without a name are named after the host" = {
    expected = [
      "host-1"
      "host-2"
    ];
    actual = map (instance: instance.name) (
      builtins.attrValues
        (of {
          count = 2;
          name = null;
        }).instances
    );
  };

  "a single runner without a name stays without" = {
    expected = null;
    actual = (of { name = null; }).instances.one.name;
  };

  "every runner has a broker and a manifest of its own" = {
    expected = {
      sockets = [
        "github-runner-broker-one-1"
        "github-runner-broker-one-2"
      ];
      manifests = [
        [
          "one-1"
          "one-1"
        ]
        [
          "one-2"
          "one-2"
        ]
      ];
    };
    actual =
      let
        result = of { count = 2; };
      in
      {
        sockets = builtins.attrNames result.sockets;
        manifests = lib.mapAttrsToList (
          _: manifest:
          let
            written = builtins.fromJSON manifest.text;
          in
          [
            written.instance
            written.registration.name
          ]
        ) result.manifests;
      };
  };

  "numbered runners share no directory" = {
    expected = [
      [ "github-runner/one-1" ]
      [ "github-runner/one-2" ]
    ];
    actual = map (unit: (of { count = 2; }).services.${unit}.serviceConfig.StateDirectory) [
      "github-runner-one-1"
      "github-runner-one-2"
    ];
  };
}

# Runners on demand that are refused, by what the message says, and their neighbours that are not.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  inherit
    (import ../orders.nix {
      inherit
        host
        lib
        pkgs
        ;
    })
    accepted
    beside
    class
    manifestOf
    plain
    repository
    says
    settingsOf
    ;

  refused = changes: says (plain changes);
  app = changes: {
    githubApp = {
      id = "Iv23liExampleExample";
      privateKeyFile = "/run/secrets/app.pem";
    }
    // changes;
    tokenFile = null;
  };
  virtual.incus = {
    image = "runner";
    virtualMachine = true;
  };
  beforeRunner =
    name: changes:
    host {
      runners.${name} = runner;
      extra.services.github-runner-on-demand = {
        enable = true;
        address = "https://ci.example.org";
        url = "https://github.com/octo-org";
        tokenFile = "/run/secrets/other";
        repositories."octo-org/example".id = 7;
        classes.host.local = { };
      }
      // changes;
    };
  evaluates =
    changes:
    let
      result = plain changes;
    in
    (builtins.tryEval (
      builtins.deepSeq [
        (settingsOf result)
        (manifestOf result)
      ] true
    )).success;
in
{
  "an address without TLS is refused" = refused {
    address = "http://ci.example.org";
  } "`address` (\"http://ci.example.org\") does not start with `https://`";
  "an address with a path is refused" = refused {
    address = "https://example.org/ci";
  } "is not a host alone";
  "an address with a slash at its end is refused" = refused {
    address = "https://ci.example.org/";
  } "is not a host alone";
  "an address with a port is refused with nginx, and good with another proxy" = {
    expected = {
      failures = 1;
      other = [ ];
    };
    actual = {
      failures =
        builtins.length
          (plain {
            address = "https://ci.example.org:8443";
            nginx.enable = true;
          }).failures;
      other = (plain { address = "https://ci.example.org:8443"; }).failures;
    };
  };
  "a url that is no page is refused with what is wrong" = refused {
    url = "https://www.github.com/octo-org";
  } "Write `https://github.com` without `www.`.";

  "runners on demand without a credential are refused" = says (beside {
  }) "Nothing can register runners. Set `githubApp` or `tokenFile`.";
  "two credentials are refused" = refused (
    app { } // { tokenFile = "/run/secrets/token"; }
  ) "Both `tokenFile` and `githubApp` are set";
  "a token in the store is refused on demand" = refused {
    tokenFile = "${builtins.storeDir}/00000000000000000000000000000000-token";
  } "`tokenFile` is in the store, where everyone can read the token.";
  "a token that is a path of Nix is refused" = refused {
    tokenFile = ../fixtures/runners.json;
  } "`tokenFile` is a Nix path";
  "a key in the store is refused" = refused (app {
    privateKeyFile = "${builtins.storeDir}/00000000000000000000000000000000-app.pem";
  }) "`githubApp.privateKeyFile` is in the store, where everyone can read the key.";
  "a credential in a directory of a runner's jobs is refused" = says (beforeRunner "one" {
    tokenFile = "/var/lib/github-runner/one/token";
  }) "is in a directory that systemd keeps for the runner `one`";
  "an App of another account is refused on demand" = refused (app {
    login = "example";
  }) "Correct one of them, or remove `login`.";
  "an App for an enterprise is refused" = refused (
    app { } // { url = "https://github.com/enterprises/octo"; }
  ) "GitHub lets no App administer these";
  "an App without an id is refused" = refused (app {
    id = "my app";
  }) "neither a client id nor a number";
  "an App of the owner is accepted, however it is spelled" = accepted [
    (plain (app {
      login = "Octo-Org";
    }))
  ];
  "a runner group of a repository is refused" = refused {
    url = "https://github.com/octo-org/example";
    runnerGroup = "on-demand";
  } "`runnerGroup` does not go together with the `url` of a repository";
  "a blank runner group is refused" = refused { runnerGroup = " "; } "`runnerGroup` is blank";

  "a prefix that is none is refused" = {
    expected = [ ];
    actual = lib.filter (prefix: builtins.length (plain { inherit prefix; }).failures != 1) [
      ""
      "o"
      "0d"
      "-od"
      "Od"
      "o d"
      "od."
      "od\n"
      "thirteenchars"
      "ubuntu"
      "windows-11"
      "self-hosted"
      "linux"
      "macos"
    ];
  };
  "prefixes beside them are accepted" = accepted (
    map (prefix: plain { inherit prefix; }) [
      "od"
      "o-"
      "o_1"
      "twelve-chars"
      "mac"
    ]
  );
  "a compatible prefix is one as well" = refused {
    compatible.prefix = "Rr";
  } "`compatible.prefix` (\"Rr\") cannot begin labels";
  "a prefix that begins a runner's name of this host is refused" = says (beforeRunner "od-builder"
    { }
  ) "begins the name of the runner `od-builder` of this host";
  "a prefix is compared as GitHub compares names" = says (host {
    runners.one = runner // {
      name = "OD-builder";
    };
    extra.services.github-runner-on-demand = {
      enable = true;
      address = "https://ci.example.org";
      url = "https://github.com/octo-org";
      tokenFile = "/run/secrets/other";
      repositories."octo-org/example".id = 7;
      classes.host.local = { };
    };
  }) "begins the name of the runner `one` of this host";
  "a runner with another name is accepted beside runners on demand" = accepted [
    (beforeRunner "builder" { })
  ];
  "runners with names of these units are refused, and what is wrong is said" = {
    expected = [ ];
    actual =
      lib.filter
        (
          name:
          let
            result = builtins.tryEval (
              builtins.deepSeq (beforeRunner name { }).failures (beforeRunner name { }).failures
            );
          in
          !result.success || !lib.any (lib.hasInfix "the units of the runner `${name}`") result.value
        )
        [
          "on-demand"
          "on-demand-host"
          "on-demand-other"
          "door"
        ];
  };
  "runners with names beside them are accepted" = accepted (
    map (name: beforeRunner name { prefix = "ci"; }) [
      "on-demands"
      "doors"
      "my-on-demand"
    ]
  );

  "a runner whose work directory is that of runners on demand is refused" =
    let
      of =
        workDir:
        (host {
          runners.one = runner // {
            inherit workDir;
          };
        }).failures;
    in
    {
      expected = [
        1
        1
        0
      ];
      actual = map (workDir: builtins.length (of workDir)) [
        "/run/github-runner-on-demand/orders"
        "/var/lib/github-runner-on-demand"
        "/var/lib/github-runner-on-demands"
      ];
    };

  "nobody to serve is refused" = says (host {
    extra.services.github-runner-on-demand = {
      enable = true;
      address = "https://ci.example.org";
      url = "https://github.com/octo-org";
      tokenFile = "/run/secrets/token";
      classes.host.local = { };
    };
  }) "`repositories` is empty";
  "nothing to order is refused" = says (host {
    extra.services.github-runner-on-demand = {
      enable = true;
      address = "https://ci.example.org";
      url = "https://github.com/octo-org";
      tokenFile = "/run/secrets/token";
      repositories."octo-org/example".id = 7;
    };
  }) "`classes` is empty";
  "a repository without its owner is refused" = refused {
    repositories.example.id = 8;
  } "is not called `OWNER/NAME`";
  "a repository of another owner is refused" = refused {
    repositories."other/example".id = 8;
  } "`repositories.\"other/example\"` does not belong to https://github.com/octo-org";
  "a repository that is not the one of the url is refused" = refused {
    url = "https://github.com/octo-org/example";
    repositories."octo-org/other".id = 8;
  } "`repositories.\"octo-org/other\"` does not belong";
  "a repository of the owner is accepted, however it is spelled" = accepted [
    (plain { repositories."Octo-Org/Other".id = 8; })
    (plain { url = "https://github.com/Octo-Org/Example/"; })
    (plain { url = "https://github.com/enterprises/octo"; })
  ];
  "two spellings of a repository are refused" = refused {
    repositories."Octo-Org/example".id = 8;
  } "with the same name";
  "one id for two repositories is refused" = refused {
    repositories."octo-org/other".id = 7;
  } "with the same `id`";
  "ID tokens without the owner's id are refused" = says (repository {
    proofs = [ "oidc" ];
  }) "has no `ownerId`, by which they are judged";
  "requests without a proof are refused unless somebody says how many" = refused {
    repositories."octo-org/example".proofs = [ "none" ];
    classes.host.allowForks = true;
  } "Say how many at a time by `limits.unproven`";
  "requests without a proof may come from forks, so classes say whether they serve these" =
    refused
      {
        repositories."octo-org/example".proofs = [ "none" ];
        limits.unproven = 1;
      }
      "serves whoever asks (`none`), forks included, and `classes.host` would run the code of strangers";
  "requests without a proof are accepted if somebody says how many, and where" = accepted [
    (plain {
      repositories."octo-org/example".proofs = [ "none" ];
      classes.host.allowForks = true;
      limits.unproven = 1;
    })
  ];

  "forks beside this host's own jobs are refused" = says (repository {
    forks = true;
  }) "serves pull requests from forks, and `classes.host` would run the code of strangers";
  "forks are accepted where somebody decided, and in virtual machines" = accepted [
    (plain {
      repositories."octo-org/example".forks = true;
      classes.host.allowForks = false;
      classes.vm = virtual;
    })
    (plain {
      repositories."octo-org/example".forks = true;
      classes.host.allowForks = true;
    })
  ];
  "forks in containers of Incus are refused as well" = says (plain {
    repositories."octo-org/example".forks = true;
    classes.host.allowForks = false;
    classes.box.incus.image = "runner";
  }) "`classes.box` would run the code of strangers";

  "a class whose name is none is refused" = {
    expected = [ ];
    actual =
      lib.filter (name: builtins.length (class name (virtual // { architecture = "a"; })).failures != 1)
        [
          ""
          "x86-64"
          "X86"
          "a b"
          "a.b"
          "seventeencharacte"
        ];
  };
  "an architecture that is no part of a label is refused" = says (class "host" {
    architecture = "x86-64";
  }) "`classes.host.architecture` (\"x86-64\")";
  "a class that makes nothing is refused" = says (class "other"
    { }
  ) "has nothing that makes machines";
  "a class of two kinds is refused" =
    says (class "host" virtual) "has several kinds of machines, `incus`, `local`";
  "a life of less than a minute or of more than six hours is refused" = {
    expected = [ ];
    actual = lib.filter (ttl: builtins.length (class "host" { inherit ttl; }).failures != 1) [
      59
      "59s"
      21601
      "7h"
    ];
  };
  "lives beside them are accepted" = accepted (
    map (ttl: class "host" { inherit ttl; }) [
      60
      "6h"
    ]
  );
  "a price without a limit on what a day costs is refused" = says (class "host" {
    pricePerHour = 0.1;
  }) "Set `limits.costPerDay`.";
  "a price with such a limit is accepted" = accepted [
    (plain {
      classes.host.pricePerHour = 0.1;
      limits.costPerDay = 10;
    })
  ];
  "an image that is none is refused with the list of images" = says (beside {
    services.ci-machines.images.debian.root = "/image";
    services.github-runner-on-demand = {
      tokenFile = "/run/secrets/token";
      classes.machine.nspawn.image = "fedora";
    };
  }) "Use one of `debian`, or add it there.";

  "a variable that brokers do not take is refused" = refused {
    brokerEnvironment.CI = "1";
  } "`brokerEnvironment.CI` is no variable that brokers take";
  "a secret in a variable of brokers is refused" = refused {
    brokerEnvironment.https_proxy = "http://ghp_fakeFAKEfakeFAKE@proxy.example.org";
  } "holds what looks like a token";
  "a variable with a line break is refused" = refused {
    brokerEnvironment.no_proxy = "a\nUser=root";
  } "holds a line break";

  "a limit that is none is refused by the class's name" = says (class "host" {
    local.resources.ExecStart = "/bin/sh";
  }) "`classes.host.local`: The limit `resources.ExecStart` is no limit";
  "another place of registrations is refused" = says (class "host" {
    local.extraEnvironment.RUNNER_ROOT = "/srv";
  }) "`classes.host.local`: `RUNNER_ROOT`";
  "overrides that make jobs root are refused by the class's name" = says (class "host" {
    local.serviceOverrides.DynamicUser = false;
  }) "`services.github-runner-on-demand.classes.host.local`: its jobs would run as root";
  "overrides that show orders to jobs are refused" = says (class "host" {
    local.serviceOverrides.InaccessiblePaths = lib.mkForce [ "-/srv" ];
  }) "its jobs could look at registrations of orders";
  "overrides that take a step away are told" = {
    expected = true;
    actual =
      lib.any (lib.hasInfix "lacks the step `clear`")
        (class "host" {
          local.serviceOverrides.ExecStopPost = lib.mkForce [ "/bin/true" ];
        }).warnings;
  };

  "values that make no sense are refused by their types" = {
    expected = [ ];
    actual = lib.filter evaluates [
      { tokenType = "registration"; }
      { repositories."octo-org/example".id = lib.mkForce 0; }
      { repositories."octo-org/example".proofs = [ ]; }
      { repositories."octo-org/example".proofs = [ "password" ]; }
      { classes.host.ttl = "1 hour"; }
      { classes.host.ttl = "0s"; }
      { classes.host.max = 0; }
      { classes.host.pricePerHour = -1; }
      { classes.box.incus = { }; }
      {
        classes.box.incus = {
          image = "runner";
          socket = "unix.socket";
        };
      }
      { limits.open = 0; }
      { limits.unproven = 0; }
      { limits.costPerDay = 0; }
    ];
  };
}

# Fleets that are refused, by what the message says, and their neighbours that
# are not.
{
  lib,
  host,
  runner,
  ...
}:

let
  failures = changes: (host { runners.one = runner // changes; }).failures;
  orgs = changes: { orgs.octo-org = { }; } // changes;

  # Exactly one message, with the fault in it.
  fires = messages: fault: {
    expected = [ ];
    actual =
      if builtins.length messages == 1 && lib.hasInfix fault (builtins.head messages) then
        [ ]
      else
        messages ++ [ "which should be one message with: ${fault}" ];
  };
  repeat = count: text: lib.concatStrings (map (_: text) (lib.range 1 count));
in
{
  "a fleet that nothing is wrong with is accepted" = {
    expected = [ ];
    actual = lib.concatMap failures [
      { count = 3; }
      {
        count = 3;
        workDir = "/var/lib/gh-work";
      }
      (orgs { url = "https://github.com"; })
      (orgs { url = "https://github.com/"; })
      {
        url = "https://github.com";
        tokenFile = null;
        orgs.octo-org = { };
        orgs.example = { };
        githubApp = {
          id = 1;
          privateKeyFile = "/run/secrets/app.pem";
        };
      }
    ];
  };

  "two entries that make the same instance are refused by name" =
    fires
      (host {
        runners.one = runner // {
          count = 3;
        };
        runners.one-2 = runner;
      }).failures
      "`services.github-runners.one` and `services.github-runners.one-2` both make the instance `one-2`";

  "two entries that make many of the same instances get one message" =
    fires
      (host {
        runners.one = runner // {
          orgs.x = { };
          count = 9;
          url = "https://github.com";
        };
        runners.one-x = runner // {
          count = 9;
        };
      }).failures
      "`services.github-runners.one-x`";

  "entries with one work directory are refused, with one message for all their runners" =
    let
      many = runner // {
        count = 3;
        workDir = "/srv/gh-work";
      };
    in
    fires
      (host {
        runners.one = many;
        runners.two = many;
      }).failures
      "and `services.github-runners.two` have work directories of which one lies in the other";

  "a work directory in that of another entry is refused, however it is written" =
    fires
      (host {
        runners.one = runner // {
          workDir = "%V/work//";
        };
        runners.two = runner // {
          workDir = "/var/tmp/./work/two";
        };
      }).failures
      "`services.github-runners.one` and `services.github-runners.two` have work directories";

  "work directories beside each other are accepted" = {
    expected = [ ];
    actual =
      (host {
        runners.one = runner // {
          workDir = "/srv/work";
        };
        runners.two = runner // {
          count = 2;
          workDir = "/srv/work-two";
        };
        runners.three = runner // {
          workDir = "/srv/work-two/three";
        };
        runners.four = runner // {
          workDir = "/srv/units/%N";
        };
        runners.five = runner // {
          workDir = "/srv/units/%N";
        };
      }).failures;
  };

  "two runners of one name at one address are refused" =
    fires
      (host {
        runners.one = runner // {
          name = "Builder";
        };
        runners.two = runner // {
          name = "builder";
        };
      }).failures
      "both have a runner with the name `Builder` at https://github.com/owner/repository";

  "two runners that go by the name of the host are refused at one address only" = {
    expected = [
      1
      0
    ];
    actual =
      let
        nameless =
          url:
          runner
          // {
            inherit url;
            name = null;
          };
        failures =
          one: two:
          builtins.length
            (host {
              runners.one = nameless one;
              runners.two = nameless two;
            }).failures;
      in
      [
        (failures "https://github.com/octo-org" "https://github.com/octo-org/")
        (failures "https://github.com/octo-org" "https://github.com/octo-org/example")
      ];
  };

  "an address with a path does not go together with accounts" = fires (failures (
    orgs { }
  )) "is the page of the server";

  "an account that is none is refused with its page" = fires (failures {
    url = "https://github.com";
    orgs.octo-org.login = "octo org";
  }) "https://github.com/octo org";

  "an account whose attribute cannot be part of a unit's name is refused with the way out" = fires (
    failures
    {
      url = "https://github.com";
      orgs."octo-org/example" = { };
    }
  ) "into its `login`";

  "a fault of the server's address is told once for all accounts" = fires (failures {
    url = "http://github.com";
    orgs.octo-org = { };
    orgs.example = { };
  }) "https://";

  "an App of one account does not serve another" = fires (failures {
    url = "https://github.com";
    tokenFile = null;
    orgs.octo-org = { };
    orgs.example = { };
    githubApp = {
      id = 1;
      login = "octo-org";
      privateKeyFile = "/run/secrets/app.pem";
    };
  }) "\"example\"";

  "one installation does not serve two accounts" = fires (failures {
    url = "https://github.com";
    tokenFile = null;
    orgs.octo-org = { };
    orgs.example = { };
    githubApp = {
      id = 1;
      installationId = 1;
      privateKeyFile = "/run/secrets/app.pem";
    };
  }) "`installationId`";

  "several runners without any name are refused" =
    fires
      (host {
        runners.one = runner // {
          name = null;
          count = 2;
        };
        extra.networking.hostName = "";
      }).failures
      "`networking.hostName`";

  "a name that its number makes too long is refused" = fires (failures {
    name = repeat 63 "x";
    count = 2;
  }) "longer than the 64";

  "an instance that its number makes too long is refused" = {
    expected = [ true ];
    actual = map (lib.hasInfix "longer than 64 characters") (
      (host {
        runners.${repeat 63 "x"} = runner // {
          name = "short";
          count = 2;
        };
      }).failures
    );
  };

  "work directories of several runners stay out of what is kept" = {
    expected = [
      true
      true
      true
    ];
    actual =
      map
        (
          workDir:
          lib.any (lib.hasInfix "every start empties") (failures {
            inherit workDir;
            count = 2;
          })
        )
        [
          "/"
          "/var/lib"
          "/var/lib/github-runner/other"
        ];
  };

  "the unit of the reconcile pass cannot be a runner's" =
    fires (host { runners.reconcile = runner; }).failures
      "github-runner-reconcile.service";

  "what is wrong with an entry is told once" = fires (failures {
    count = 5;
    extraLabels = [ "a,b" ];
  }) "two entries";

  "an account without any credential is refused" = fires (failures (orgs {
    url = "https://github.com";
    tokenFile = null;
    orgs.octo-org.tokenFile = "/run/secrets/octo-org.token";
    orgs.example = { };
  })) "Nothing can register";

  "a token of an account in the store is refused" = fires (failures {
    url = "https://github.com";
    orgs.octo-org.tokenFile = "/nix/store/00000000000000000000000000000000-token";
  }) "`orgs.octo-org.tokenFile` is in the store";

  "a page of an account that is none is refused" = fires (failures {
    url = "https://github.com";
    orgs.octo-org.url = "http://github.com/octo-org";
  }) "`orgs.octo-org.url` does not start with `https://`";

  "a label of an account is held to what the entry's are" = fires (failures {
    url = "https://github.com";
    orgs.octo-org.extraLabels = [ "a,b" ];
  }) "has a comma";

  "a limit that systemd does not know is refused" = fires (failures {
    resources.Nice = 5;
  }) "The limit `resources.Nice` is no limit";

  "a limit with a typing error is refused" = fires (failures {
    resources.MemoryMaxx = "1G";
  }) "The limit `resources.MemoryMaxx` is no limit";

  "a limit of single processes is refused for a slice" = fires (failures {
    resources.pool.LimitNOFILE = 1024;
  }) "which a slice cannot have";

  "a limit with two names is refused" = fires (failures {
    resources.pool = {
      memoryMax = "1G";
      MemoryMax = "2G";
    };
  }) "`resources.pool.MemoryMax` and `resources.pool.memoryMax`";
}

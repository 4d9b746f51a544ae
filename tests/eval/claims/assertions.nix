# Configurations that are refused, by what the message says, and their
# neighbours that are not.
{
  lib,
  host,
  runner,
  ...
}:

let
  failuresOf = instance: changes: (host { runners.${instance} = runner // changes; }).failures;
  failures = failuresOf "one";

  # Exactly one message, for the right runner, with the fault in it.
  fires =
    changes: fault:
    let
      messages = failures changes;
    in
    {
      expected = [ ];
      actual =
        if
          builtins.length messages == 1
          && lib.hasPrefix "`services.github-runners.one`: " (builtins.head messages)
          && lib.hasInfix fault (builtins.head messages)
        then
          [ ]
        else
          messages ++ [ "which should be one message with: ${fault}" ];
    };
  silent = listOfChanges: {
    expected = [ ];
    actual = lib.concatMap failures listOfChanges;
  };
  repeat = count: text: lib.concatStrings (map (_: text) (lib.range 1 count));

  firesForInstance = instance: fault: {
    expected = true;
    actual = lib.any (lib.hasInfix fault) (failuresOf instance { name = "good"; });
  };
  url = url: { inherit url; };

  app = changes: {
    tokenFile = null;
    githubApp = {
      id = "Iv1.0123";
      privateKeyFile = "/run/secrets/app.pem";
    }
    // changes;
  };
  jit = {
    ephemeral = true;
    registration.method = "jit";
  };
in
{
  "no default labels needs a label" = fires { noDefaultLabels = true; } "into `extraLabels`";
  "no default labels with a label is accepted" = silent [
    {
      noDefaultLabels = true;
      extraLabels = [ "nixos" ];
    }
  ];
  "a group needs a user" = fires { group = "staff"; } "`group` without `user`";
  "a user may come alone" = silent [
    { user = "somebody"; }
    {
      user = "root";
      group = "staff";
    }
  ];

  "a runner without a credential is refused" = fires {
    tokenFile = null;
  } "Set `tokenFile` or `githubApp`";
  "a token beside an App is refused" = fires (
    app { } // { tokenFile = "/run/secrets/token"; }
  ) "Both `tokenFile` and `githubApp`";
  "an App that registers an enterprise's runner is refused" = fires (
    app { } // url "https://github.com/enterprises/name"
  ) "enterprise";
  "an App of another account is refused" = fires (app { login = "somebody"; }) "\"somebody\"";
  "an App with a strange id is refused" = fires (app { id = "my app"; }) "`githubApp.id`";
  "an App beside a registration token is refused" = fires (
    app { } // { tokenType = "registration"; }
  ) "registration token";
  "ordinary Apps are accepted" = silent [
    (app { })
    (app { id = 123456; })
    (app { login = "Owner"; })
    (app { installationId = 1; } // { tokenType = "access"; })
    (app { login = "organization"; } // url "https://github.com/Organization/")
  ];

  "JIT for a runner that stays is refused" = fires { registration.method = "jit"; } "`ephemeral`";
  "JIT with a registration token is refused" = fires (
    jit // { tokenType = "registration"; }
  ) "`tokenType`";
  "JIT with a group of a repository is refused" = fires (
    jit // { runnerGroup = "trusted"; }
  ) "`runnerGroup`";
  "ordinary methods are accepted" = silent [
    jit
    (jit // app { })
    (jit // { runnerGroup = "trusted"; } // url "https://github.com/organization")
    (jit // { runnerGroup = "trusted"; } // url "https://github.com/enterprises/name")
    { registration.method = "configure"; }
    {
      ephemeral = true;
      registration.method = "configure";
      tokenType = "registration";
    }
  ];

  "a token file that systemd cannot hand on is refused" = fires {
    tokenFile = "/run/my secrets/token";
  } "the broker";
  "a registration token is not handed on" = silent [
    {
      tokenFile = "/run/my secrets/token";
      tokenType = "registration";
    }
  ];

  "a blank name is refused" = fires { name = " "; } "is blank";
  "a name with a dash in front is refused" = fires { name = "-x"; } "starts with a dash";
  "a name of 65 characters is refused" = fires { name = repeat 65 "x"; } "longer than the 64";
  "a name of two lines is refused" = fires { name = "a\nb"; } "line break";
  "ordinary names are accepted" = silent [
    { name = null; }
    { name = repeat 64 "x"; }
    { name = repeat 64 "ü"; }
    { name = "build host 7 (left)"; }
  ];

  "an empty runner group is refused" = fires { runnerGroup = ""; } "is blank";
  "a runner group with a dash in front is refused" = fires {
    runnerGroup = "--x";
  } "starts with a dash";

  "an empty label is refused" = fires { extraLabels = [ "" ]; } "is blank";
  "a label with a dash in front is refused" = fires {
    extraLabels = [
      "good"
      "-x"
    ];
  } "starts with a dash";
  "a label with a comma is refused" = fires { extraLabels = [ "a,b" ]; } "two entries";
  "a label of 257 characters is refused" = fires {
    extraLabels = [ (repeat 257 "x") ];
  } "longer than the 256";
  "a label with a line break is refused" = fires { extraLabels = [ "a\n" ]; } "line break";
  "ordinary labels are accepted" = silent [
    {
      extraLabels = [
        "x86_64-linux"
        (repeat 256 "x")
        "with space"
        "größe"
      ];
    }
  ];

  "plain http is refused" = fires (url "http://github.com/o/r") "https://";
  "a user in the address is refused" = fires (url "https://me:pw@github.com/o/r") "user name";
  "a port is refused" = fires (url "https://github.example.com:8443/o/r") "port";
  "a query is refused" = fires (url "https://github.com/o/r?tab=x") "query";
  "a fragment is refused" = fires (url "https://github.com/o/r#readme") "fragment";
  "an address to clone from is refused" = fires (url "https://github.com/o/r.git") "`.git`";
  "a page about an organization is refused with its address" =
    fires (url "https://github.com/orgs/octo-org/repositories") "itself, `https://github.com/octo-org`";
  "an organization's settings are refused with its address" =
    fires (url "https://github.com/organizations/octo-org/settings/actions/runners") "itself, `https://github.com/octo-org`";
  "www is refused" = fires (url "https://www.github.com/o/r") "`www.`";
  "a page below a repository is refused" =
    fires (url "https://github.com/o/r/settings") "the page of";
  "the front page is refused" = fires (url "https://github.com/") "the page of";
  "an address without a host is refused" = fires (url "https:///o/r") "host name";
  "ordinary addresses are accepted" = silent (
    map url [
      "https://github.com/organization"
      "https://github.com/owner/repository/"
      "https://github.com/enterprises/name"
      "https://github.com/o/my.repo_1"
      "https://octo.ghe.com/o"
      "https://github.example.com/o/r"
    ]
  );

  "an environment that moves the registration is refused" = fires {
    extraEnvironment.RUNNER_ROOT = "/x";
  } "RUNNER_ROOT";

  "an instance with a slash is refused" = firesForInstance "a/b" "unit's";
  "an instance with a dot in front is refused" = firesForInstance ".a" "unit's";
  "an instance with a percent sign is refused" = firesForInstance "a%n" "unit's";
  "an instance of 65 characters is refused" = firesForInstance (repeat 65 "x") "64 characters";
  "ordinary instances are accepted" = {
    expected = [ ];
    actual = lib.concatMap (instance: failuresOf instance { }) [
      "one"
      "My_runner-2.x"
      (repeat 64 "x")
    ];
  };

  "the removed singular option says where to go" = {
    expected = true;
    actual =
      lib.any (lib.hasInfix "services.github-runners.<name>")
        (host {
          extra.services.github-runner.enable = true;
        }).failures;
  };
}

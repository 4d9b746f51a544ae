# Work directories that starts leave as they are, and how much room a start asks for.
context@{ lib, pkgs, ... }:

let
  profile = import ../profile.nix context;
  strict = import ../strict.nix { inherit lib pkgs; };
  inherit (profile)
    all
    changed
    may
    mayOf
    of
    refused
    silent
    told
    ;
  inherit (context) host runner;

  manifestOf =
    changes:
    (strict.manifestsOf (host {
      inherit (strict) pkgs;
      runners.one = runner // changes;
    })).one;
  kept =
    changes:
    {
      cleanWorkDir = "never";
      user = "ci";
      workDir = "/srv/work";
    }
    // changes;
in
{
  "a work directory that is kept is the program's business, and said of the runner" = {
    expected = {
      gone = [ ];
      new = [ ];
      may = [ "work directory /srv/work" ];
      cleanWorkDir = "never";
    };
    actual =
      let
        cleaned = changed (kept {
          cleanWorkDir = "start";
        });
      in
      builtins.mapAttrs (which: lines: lib.subtractLists cleaned.${which} lines) (changed (kept { }))
      // {
        may = may (kept { });
        inherit (manifestOf (kept { })) cleanWorkDir;
      };
  };
  "every runner of an entry keeps its own work directory" = {
    expected = [
      [
        "home /var/lib/github-runner-home/one"
        "work directory /srv/work/1"
      ]
      [
        "home /var/lib/github-runner-home/one"
        "work directory /srv/work/2"
      ]
    ];
    actual = mayOf (
      of (kept {
        count = 2;
        createUser = true;
        user = null;
      }) { }
    );
  };
  "a work directory is kept only on disk and for a static user" = all [
    (refused (kept { workDir = null; }) "keeps nothing without `workDir`")
    (refused (kept { user = null; }) "needs a user to whom the work directory can belong")
    (refused (kept {
      serviceOverrides.DynamicUser = lib.mkForce true;
    }) "needs a user to whom the work directory can belong")
    (silent (kept { }))
    (silent (kept {
      createUser = true;
      user = null;
    }))
  ];
  "a kept work directory of an ephemeral runner is told" = all [
    (told (kept { ephemeral = true; }) "what one job writes the next one runs, by `cleanWorkDir`")
    (silent (kept {
      ephemeral = true;
      trustJobsLikeRoot = true;
    }))
  ];

  "room that a start asks for reaches the program, and no unit" = {
    expected = {
      gone = [ ];
      new = [ ];
      texts = [
        "20G"
        "1073741824"
        null
      ];
    };
    actual = changed { minFreeSpace = "20G"; } // {
      texts = map (minFreeSpace: (manifestOf { inherit minFreeSpace; }).minFreeSpace or null) [
        "20G"
        1073741824
        null
      ];
    };
  };
  "another limit or another way with the work directory is another configuration" = {
    expected = 4;
    actual = builtins.length (
      lib.unique (
        map manifestOf [
          (kept { })
          (kept { cleanWorkDir = "start"; })
          (kept { minFreeSpace = "1G"; })
          (kept { minFreeSpace = "2G"; })
        ]
      )
    );
  };
}

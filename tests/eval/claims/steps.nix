# Own commands around the steps of a unit and in their place.
context@{ lib, ... }:

let
  profile = import ../profile.nix context;
  inherit (profile)
    all
    of
    refused
    service
    silent
    silentWith
    told
    ;

  directives = [
    "ExecStartPre"
    "ExecStop"
    "ExecStopPost"
  ];
  # The steps of this module in a line are named by their verb alone: their arguments hold the manifest.
  short =
    line:
    let
      found = builtins.match "(.*)/nix/store/[^ ]*/bin/github-runner-helper ([a-z]+) .*" line;
    in
    if found == null then line else lib.concatStrings found;
  lines = changes: lib.concatMap (name: map short (service changes).${name}) directives;
  accepted = steps: (builtins.tryEval (builtins.deepSeq (lines { inherit steps; }) true)).success;
in
{
  "own commands have the rights of their step, and stand beside it or get its command line" = {
    expected = [
      "+/bin/first"
      "+-/bin/second a b"
      "+prepare"
      "+/bin/third"
      "/bin/wrap --with \"a b\" configure"
      "+record"
      "+/bin/wrap release"
      "+/bin/mine"
    ];
    actual = lines {
      steps = {
        prepare = {
          before = [
            "/bin/first"
            "-/bin/second a b"
          ];
          after = [ "/bin/third" ];
        };
        configure.wrapper = "/bin/wrap --with \"a b\"";
        release.wrapper = "/bin/wrap";
        settle.command = "/bin/mine";
      };
    };
  };
  "a wrapper gets the whole command line of its step" = {
    expected = true;
    actual =
      let
        whole = changes: builtins.head (service changes).ExecStop;
        wrapped = whole { steps.release.wrapper = "/bin/wrap"; };
      in
      lib.hasPrefix "+/bin/wrap /nix/store/" wrapped
      && lib.hasInfix " --broker /run/github-runner-broker/one" wrapped
      && lib.hasInfix " --ledger-directory " wrapped;
  };
  "commands of overrides come after those of steps, as they did" = {
    expected = [
      "+/bin/wrap prepare"
      "configure"
      "+record"
      "+/bin/after"
      "/bin/override"
    ];
    actual =
      map short
        (service {
          steps.prepare.wrapper = "/bin/wrap";
          steps.record.after = [ "/bin/after" ];
          serviceOverrides.ExecStartPre = [ "/bin/override" ];
        }).ExecStartPre;
  };
  "without own commands a unit is as without the option" = {
    expected = true;
    actual =
      let
        texts = changes: (of changes { }).unitTexts."github-runner-one.service";
      in
      texts { } == texts { steps = { }; } && texts { } == texts { steps.prepare = { }; };
  };
  "a line starts with its program, and nothing else decides about its rights" = {
    expected = [
      true
      true
      false
      false
      false
      false
      false
      false
      false
    ];
    actual = map accepted [
      { prepare.wrapper = "/bin/wrap"; }
      { prepare.before = [ "-/bin/first" ]; }
      { prepare.before = [ "+/bin/first" ]; }
      { configure.before = [ "!/bin/first" ]; }
      { configure.wrapper = "+/bin/wrap"; }
      { configure.wrapper = "wrap"; }
      { settle.command = "-/bin/mine"; }
      { settle.command = "/bin/mine\nExecStart=/bin/other"; }
      { settle.after = "/bin/mine"; }
    ];
  };
  "a step that there is not, or that has two commands, is refused" = all [
    (refused { steps.start.before = [ "/bin/first" ]; } "`steps.start` is of no step")
    (refused { steps.record.before = [ "/bin/first \\" ]; } "is more than one command")
    (refused { steps.record.before = [ "/bin/first \\ " ]; } "is more than one command")
    (refused { steps.settle.wrapper = "/bin/wrap ; /bin/other"; } "is more than one command")
    (silentWith { steps.record.before = [ "/bin/first a;b \\x" ]; } { })
    (refused {
      ephemeral = true;
      registration.method = "jit";
      steps.configure.before = [ "/bin/first" ];
    } "`steps.configure` is of a step that its unit does not have")
    (refused {
      ephemeral = true;
      registration.method = "jit";
      steps.configure.command = "/bin/mine";
    } "`steps.configure` is of a step that its unit does not have")
    (silent {
      steps.prepare.wrapper = "/bin/wrap";
      steps.settle.after = [ "/bin/last" ];
    })
  ];
  "a command in the place of a step is told with what is lost" = all [
    (told { steps.settle.command = "/bin/mine"; }
      "`steps.settle.command` takes the place of the step, so what it does not need any more stays registered"
    )
    (told { steps.release.command = "/bin/mine"; } "a job can still come while it stops")
    (silentWith { steps.release.wrapper = "/bin/wrap"; } { })
    (
      let
        both = of {
          steps.record = {
            command = "/bin/mine";
            wrapper = "/bin/wrap";
          };
        } { };
      in
      lib.optionals (!lib.any (lib.hasInfix "`steps.record` has a `command`") both.failures) both.failures
    )
  ];
}

# How claims about profiles look at one runner: its unit, what it may, and what is said
# about it.
{
  lib,
  host,
  runner,
  ...
}:

let
  of =
    changes: extra:
    host {
      runners.one = runner // changes;
      inherit extra;
    };
  plain = of { } { };
  unitOf = result: result.services.github-runner-one;
  lines = result: lib.splitString "\n" result.unitTexts."github-runner-one.service";

  wrong =
    result: fault:
    result.failures ++ result.warnings ++ [ "which should be one message with: ${fault}" ];
  # Exactly one message, for the right runner, with the fault in it.
  one =
    messages: others: fault:
    builtins.length messages == 1
    && others == [ ]
    && lib.hasPrefix "`services.github-runners.one`" (builtins.head messages)
    && lib.hasInfix fault (builtins.head messages);
  # What is an option's own, without the steps, which name the manifest.
  isStep = lib.hasInfix "/bin/github-runner-helper ";
in
rec {
  inherit of unitOf;
  unit = changes: unitOf (of changes { });
  service = changes: (unit changes).serviceConfig;

  # The lines that a profile takes away from a unit, and those that it adds.
  changed =
    changes:
    let
      before = lib.filter (line: !isStep line) (lines plain);
      after = lib.filter (line: !isStep line) (lines (of changes { }));
    in
    {
      gone = lib.subtractLists after before;
      new = lib.subtractLists before after;
    };

  mayOf =
    result:
    map (instance: instance.may or null)
      (builtins.fromJSON result.etc."github-runners/fleet.json".source.text).instances;
  may = changes: builtins.head (mayOf (of changes { }));

  refusedWith =
    changes: extra: fault:
    let
      result = of changes extra;
    in
    if one result.failures result.warnings fault then [ ] else wrong result fault;
  refused = changes: refusedWith changes { };
  toldWith =
    changes: extra: fault:
    let
      result = of changes extra;
    in
    if one result.warnings result.failures fault then [ ] else wrong result fault;
  told = changes: toldWith changes { };
  silentWith =
    changes: extra:
    let
      result = of changes extra;
    in
    result.failures ++ result.warnings;
  silent = changes: silentWith changes { };

  all = lists: {
    expected = [ ];
    actual = lib.concatLists lists;
  };
}

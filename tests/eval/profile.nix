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
}
// import ./messages.nix { inherit lib; } of

# What is claimed about messages of one runner: that exactly one is there, with the fault in it, or none.
{ lib }:

# Changes of the runner, and of the rest of the configuration → the host.
of:

let
  one =
    messages: others: fault:
    builtins.length messages == 1
    && others == [ ]
    && lib.hasPrefix "`services.github-runners.one`" (builtins.head messages)
    && lib.hasInfix fault (builtins.head messages);
  wrong =
    result: fault:
    result.failures ++ result.warnings ++ [ "which should be one message with: ${fault}" ];
  with' =
    isGood: changes: extra: fault:
    let
      result = of changes extra;
    in
    if isGood result fault then [ ] else wrong result fault;
in
rec {
  inherit one wrong;
  refusedWith = with' (result: one result.failures result.warnings);
  refused = changes: refusedWith changes { };
  toldWith = with' (result: one result.warnings result.failures);
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

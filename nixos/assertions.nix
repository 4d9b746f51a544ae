# What is wrong with one runner's configuration, as a list of NixOS assertions.
# A pure function over values. The first two are nixpkgs' own; the others refuse
# what would lose data, publish a secret, or what the runner silently drops.
{
  lib,
  ledger,
}:

instance: runner:

let
  inherit (builtins) match stringLength;
  urlFaults = import ./url.nix { inherit lib; };
  workDirFaults = import ./work-dir.nix { inherit ledger lib; };

  refuse = fault: message: {
    assertion = !fault;
    message = "`services.github-runners.${instance}`: ${message}";
  };

  # One fault often brings others along; the first one says what to do.
  refuseFirst =
    what: faults:
    lib.take 1 (
      lib.concatMap ({ fault, message }: lib.optional fault (refuse true "${what} ${message}")) faults
    );

  matches = pattern: text: match pattern text != null;
  hasControlCharacter = text: !matches "[^[:cntrl:]]*" text;

  # The registration program takes a value with a leading dash for a flag.
  refuseArgument =
    what: limit: text:
    refuseFirst "${what} ${builtins.toJSON text}" [
      {
        fault = matches "[[:space:]]*" text;
        message = "is blank. Give it at least one letter.";
      }
      {
        fault = lib.hasPrefix "-" text;
        message = "starts with a dash, so the runner would take it for a flag. Let it start with another character.";
      }
      {
        # Nix counts bytes. Of a text beyond ASCII the helper knows the length.
        fault = stringLength text > limit && matches "[ -~]*" text;
        message = "is longer than the ${toString limit} characters that GitHub keeps. Shorten it.";
      }
      {
        fault = hasControlCharacter text;
        message = "holds a line break or another control character. Remove it.";
      }
    ];
in
[
  (refuse (runner.noDefaultLabels && runner.extraLabels == [ ])
    "`noDefaultLabels` leaves the runner without any label, so no job could find it. Put at least one label into `extraLabels`."
  )
  (refuse (runner.group != null && runner.user == null)
    "`group` without `user` would run the jobs as root. Set `user` too; if you mean root, say `user = \"root\"`."
  )

  (refuse (!matches "[A-Za-z0-9_-][A-Za-z0-9_.-]*" instance)
    "this name cannot be part of a unit's and a directory's name. Use letters, digits, `_`, `-` and, not as the first character, `.`; the name that GitHub shows is a separate option, `name`."
  )
  (refuse (stringLength instance > 64)
    "this name is longer than 64 characters. Shorten it; the name that GitHub shows is a separate option, `name`."
  )

  (refuse (builtins.isPath runner.tokenFile) "`tokenFile` is a Nix path, which ends up in the store as soon as something uses it, readable by everyone. Write the path of a file on the target machine as a string, in quotes.")
  (refuse (lib.hasPrefix "${builtins.storeDir}/" (toString runner.tokenFile)) "`tokenFile` is in the store, where everyone can read the token. Keep the file elsewhere, for example with agenix or sops-nix, and give its path as a string. Consider a token that has been in the store as published.")
  (refuse (hasControlCharacter (toString runner.tokenFile)) "`tokenFile` holds a line break or another control character. Rename the file.")

  (refuse (runner.extraEnvironment ? RUNNER_ROOT)
    "`extraEnvironment.RUNNER_ROOT` would make the runner look for its registration where it is not. Remove it; to move the work to another disk, set `workDir`."
  )
]
++ lib.optionals (runner.name != null) (refuseArgument "`name`" 64 runner.name)
++ lib.optionals (runner.runnerGroup != null) (
  refuseArgument "`runnerGroup`" 256 runner.runnerGroup
)
++ lib.concatMap (
  label:
  refuseArgument "The label" 256 label
  ++ [
    (refuse (lib.hasInfix "," label) "The label ${builtins.toJSON label} has a comma, which separates labels. Make it two entries of `extraLabels`.")
  ]
) runner.extraLabels
++ refuseFirst "`url`" (urlFaults runner.url)
++ lib.optionals (runner.workDir != null) (
  refuseFirst "`workDir` (${runner.workDir})" (workDirFaults instance runner.workDir)
)

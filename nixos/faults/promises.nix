# What is left of this module's promises when everybody has had a say in a
# runner's unit: looks at the merged one, as `serviceOverrides` and
# `systemd.services` made it. Faults that make jobs root or show them secrets are
# refused unless the runner has `trustJobsLikeRoot`; the others are told. A pure
# function over values.
{
  lib,
  # As in ../units/runner.nix.
  ledger,
  sockets,
  kept,
  # What else no job may see: its name → where it is.
  further ? { },
  # How the option of a runner is called.
  optionOf ? runner: "services.github-runners.${runner.pool}",
  # Each step of this module, by its directive, with what is lost without it.
  steps ? {
    ExecStartPre = {
      prepare = "nothing registers it, and the work directory keeps what the job before left";
      configure = "it cannot register";
      record = "a registration is not recorded and never taken back, and jobs do not find logs and registration in their work directory";
    };
    ExecStop.release = "a job can still come while it stops";
    ExecStopPost.settle = "what it does not need any more stays registered";
  },
  # Whether there is an option for another user.
  hasUser ? true,
}:

let
  inherit (import ./path-components.nix { inherit lib; }) components;
  inherit (import ../units/syntax.nix) entry literal;
  slice = import ../units/slice.nix { inherit lib; };
  isMadeByGithub = import ../units/jit.nix;
  holdsSecret = import ./secret-text.nix;

  # A path between slashes, so that /run/secretary does not lie in /run/secrets.
  placeOf = path: lib.concatStringsSep "/" ([ "" ] ++ components path ++ [ "" ]);
  liesIn = directory: path: builtins.substring 0 (builtins.stringLength directory) path == directory;
  # Without what systemd reads before a path.
  bare = text: builtins.head (builtins.match "[\"+-]*([^\"]*).*" text);
  # Looked at and never written anywhere, so without context.
  split = separator: text: lib.filter builtins.isString (builtins.split separator text);
  wordsOf = texts: if texts == [ ] then [ ] else split " " (lib.concatStringsSep " " texts);
  has = part: text: builtins.replaceStrings [ part ] [ "" ] text != text;

  # What no job may see, with what closes it in a unit of this module.
  secretAt = path: {
    at = placeOf path;
    closing = entry "-${literal path}";
  };
  commonSecrets = builtins.mapAttrs (_: secretAt) (
    {
      "the ledger" = ledger;
      "the sockets of brokers" = sockets;
      "what brokers keep" = kept;
    }
    // further
  );

  # What keeps jobs from services that start something for them, and what of it they need.
  doors = [
    "/run/dbus"
    "/run/user"
  ];
  doorsAt = map placeOf (doors ++ [ "/run/systemd" ]);
  systemServicesAt = map placeOf [
    "/run/systemd/journal"
    "/run/systemd/resolve"
    "/run/systemd/system"
    "/run/systemd/userdb"
  ];

  stepList = lib.concatLists (
    lib.mapAttrsToList (
      directive:
      lib.mapAttrsToList (
        step: loss: {
          inherit directive loss step;
          isIn = has "/bin/github-runner-helper ${step} ";
        }
      )
    ) steps
  );

  # systemd would take what follows a line break for a directive of its own.
  breaks =
    text:
    builtins.isString text
    && builtins.replaceStrings [ "\n" ] [ "" ] text != text
    && lib.hasInfix "\n" (lib.removeSuffix "\n" text);
  brokenIn =
    section: values:
    map (name: "`${section}.${name}`") (
      lib.filter (
        name:
        let
          value = values.${name};
        in
        if builtins.isList value then lib.any breaks value else breaks value
      ) (builtins.attrNames values)
    );
in
# A runner, its unit as an option's value, and how systemd reads that; see
# ../units/merged.nix.
{
  runner,
  unit,
  merged,
}:

let
  inherit (merged)
    isOn
    isRoot
    listOf
    runsAsRoot
    textOf
    userName
    ;

  secrets = commonSecrets // {
    "the secret that registers it" = secretAt (import ../units/secret.nix runner);
  };
  namesOf = shown: lib.concatStringsSep ", " (builtins.attrNames shown);

  inaccessible = listOf "InaccessiblePaths";
  inaccessibleAt = map placeOf (lib.filter (path: path != "") (map bare (wordsOf inaccessible)));
  isClosed = path: lib.any (directory: liesIn directory path) inaccessibleAt;
  open = lib.filterAttrs (
    _: { at, closing }: !builtins.elem closing inaccessible && !isClosed at
  ) secrets;

  # Each as its source and, perhaps, where it is shown.
  binds = map (text: split ":" (bare text)) (
    wordsOf (listOf "BindPaths" ++ listOf "BindReadOnlyPaths")
  );

  # Directives that hand a file to the unit, past what is inaccessible, with the
  # place of its path between the colons.
  handed =
    map bare (listOf "EnvironmentFile")
    ++ map (text: bare (builtins.head (split ":" text))) (listOf "OpenFile")
    ++ lib.concatMap (
      text:
      let
        parts = split ":" text;
      in
      lib.optional (builtins.length parts > 1) (bare (builtins.elemAt parts 1))
    ) (listOf "LoadCredential" ++ listOf "LoadCredentialEncrypted")
    # A directory under its own name shows what is inaccessible in it no more than before.
    ++ map builtins.head (
      lib.filter (
        parts:
        builtins.length parts > 1
        && components (builtins.elemAt parts 1) != components (builtins.head parts)
      ) binds
    );
  handedAt = map placeOf (lib.filter (lib.hasPrefix "/") handed);
  given = lib.filterAttrs (_: { at, ... }: lib.any (source: liesIn source at) handedAt) secrets;

  # Rights by which a process passes every other protection of the host's files.
  mighty = lib.filter (
    right:
    builtins.elem right [
      "CAP_CHOWN"
      "CAP_DAC_OVERRIDE"
      "CAP_DAC_READ_SEARCH"
      "CAP_FOWNER"
      "CAP_SETFCAP"
      "CAP_SETGID"
      "CAP_SETUID"
      "CAP_SYS_ADMIN"
      "CAP_SYS_MODULE"
      "CAP_SYS_PTRACE"
      "CAP_SYS_RAWIO"
    ]
  ) (wordsOf (listOf "AmbientCapabilities"));

  survivors =
    lib.optional (builtins.elem (textOf "KillMode") [
      "process"
      "none"
    ]) "`KillMode` is \"${textOf "KillMode"}\""
    ++ lib.optional (unit.serviceConfig ? SendSIGKILL && !isOn "SendSIGKILL") "`SendSIGKILL` is off";

  # Rights of a group by which whoever is in it can become root.
  mightyGroups =
    lib.filter
      (
        group:
        isRoot group
        || builtins.elem group [
          "docker"
          "wheel"
        ]
      )
      (
        # Of the engine's own group there is a sentence.
        lib.subtractLists (lib.optional (
          (runner.containers.engine or null) == "docker"
        ) runner.containers.group) (wordsOf (listOf "SupplementaryGroups" ++ [ (textOf "Group") ]))
      );
  # systemd runs a command with such a prefix as root, or with more than the sandbox lets it.
  privileged = lib.filter (command: builtins.match "[@:-]*[+!].*" command != null) (
    listOf "ExecStart"
  );

  isCovered =
    directory:
    lib.any (text: builtins.head (split ":" text) == directory) (listOf "TemporaryFileSystem");
  reopened =
    lib.filter (directory: !isClosed (placeOf directory)) doors
    ++ lib.optional (!isCovered "/run/systemd") "/run/systemd"
    ++ lib.filter (
      path:
      let
        at = placeOf path;
      in
      lib.any (door: liesIn door at || liesIn at door) doorsAt
      && !lib.any (allowed: liesIn allowed at) systemServicesAt
    ) (map builtins.head binds);

  broken =
    # entry.nix has sentences for what comes from options.
    brokenIn "serviceConfig" (
      removeAttrs unit.serviceConfig (
        [
          "BindPaths"
          "Group"
          "User"
          "WorkingDirectory"
        ]
        ++ builtins.attrNames (slice.directives runner.resources)
      )
    )
    ++ brokenIn "unitConfig" unit.unitConfig;

  missing = lib.filter (
    {
      directive,
      isIn,
      step,
      ...
    }:
    !lib.any isIn (listOf directive) && !(step == "configure" && isMadeByGithub runner)
  ) stepList;

  texts =
    lib.mapAttrsToList (name: value: {
      what = "The variable `${name}`";
      inherit value;
    }) unit.environment
    ++
      lib.concatMap
        (
          directive:
          map (value: {
            what = "`${directive}`";
            inherit value;
          }) (listOf directive)
        )
        [
          "Environment"
          "SetCredential"
        ];

  say = message: "`${optionOf runner}`: ${message}";
  tell = fault: message: lib.optional fault (say message);
  # What `trustJobsLikeRoot` accepts.
  wayOut = "If every job may do what root may, set `trustJobsLikeRoot = true`.";
  unlessTrusted = fault: message: tell (fault && !runner.trustJobsLikeRoot) "${message} ${wayOut}";

  # Said in the words of nixpkgs' own option, so nobody can have meant another thing.
  isRootByOption = runner.user != null && isRoot runner.user && userName == runner.user;
  # entry.nix has sentences for these.
  isSaidBefore =
    userName == "" && (runner.user == "" || (runner.user == null && runner.group != null));
in
{
  refused =
    unlessTrusted (runsAsRoot && !isRootByOption && !isSaidBefore)
      "its jobs would run as root, because ${
        if userName == "" then
          "`DynamicUser` of its unit is off and there is no `User`"
        else
          "`User` of its unit is `${userName}`"
      }. Remove the override for a dynamic user${
        if hasUser then ", or set `user` to one that exists" else ""
      }."
    ++
      unlessTrusted (privileged != [ ])
        "its jobs would run as root or outside of the sandbox, because `ExecStart` of its unit starts with one of `+` and `!`. Remove that."
    ++
      unlessTrusted (mighty != [ ] && unit.serviceConfig ? PrivateUsers && !isOn "PrivateUsers")
        "its jobs would be as good as root by `AmbientCapabilities` of its unit (${lib.concatStringsSep ", " mighty}) without `PrivateUsers`. Remove these."
    ++
      unlessTrusted (open != { })
        "its jobs could look at ${namesOf open}, because `InaccessiblePaths` of its unit does not close it any more. Append paths to that list, without `lib.mkForce` and without an empty entry."
    ++
      unlessTrusted (given != { })
        "its unit hands ${namesOf given} to jobs (`EnvironmentFile`, `LoadCredential`, `OpenFile`, `BindPaths` or their like). Give jobs a secret of their own."
    ++
      unlessTrusted (survivors != [ ] && runner.ephemeral)
        "processes of a job would outlive its unit, because ${lib.concatStringsSep " and " survivors}, and could read what the next start is given, although `ephemeral` promises that a job leaves nothing behind. Remove that."
    ++
      tell (broken != [ ])
        "${lib.concatStringsSep " and " broken} of its unit hold a line break, and systemd would take what follows for another directive. Remove it, or make it a list."
    # Whom it would trust with this is not jobs alone.
    ++ lib.concatMap (
      { what, value }:
      tell (holdsSecret value) "${what} of its unit holds what looks like a token of GitHub or a private key. It would end up in the store, where everyone can read it, and in every job. Keep it in a file on the target machine, or in the secrets of the workflow; and consider one that has been in the store as published."
    ) texts;

  warnings =
    tell (isRootByOption && !runner.trustJobsLikeRoot)
      "its jobs run as root, because `user` is `${runner.user}`: they can read every secret of this host and do with it what they like. Leave `user` out for a dynamic user; or set `trustJobsLikeRoot = true`, and this is not said again."
    ++
      tell (mightyGroups != [ ] && !runner.trustJobsLikeRoot)
        "its jobs can become root, because they are in the group ${lib.concatStringsSep " and " mightyGroups}. Take them out; or set `trustJobsLikeRoot = true`, and this is not said again."
    ++
      tell
        (
          !runner.exposeSystemServices
          && !runner.trustJobsLikeRoot
          && open == { }
          && given == { }
          && reopened != [ ]
        )
        "jobs can reach services of systemd in ${lib.concatStringsSep " and " (lib.unique reopened)}, because an override reopened what this module closes, and leave processes to the jobs after them by these. Append to lists of its unit without `lib.mkForce`; or set `exposeSystemServices = true`."
    ++
      tell (survivors != [ ] && !runner.ephemeral)
        "processes of a job outlive its unit, because ${lib.concatStringsSep " and " survivors}, and can look at what the next start is given. Remove that."
    ++
      tell (runner.ephemeral && isOn "RemainAfterExit")
        "`RemainAfterExit` of its unit is on, so it stays as it is after its first job and takes no other one. Remove it."
    ++ map (
      {
        directive,
        loss,
        step,
        ...
      }:
      say (
        if runner.steps.${step}.command or null != null then
          "`steps.${step}.command` takes the place of the step, so ${loss}, unless your command sees to that."
        else
          "`${directive}` of its unit lacks the step `${step}`, so ${loss}. Add yours to that list, without `lib.mkForce` and without an empty entry."
      )
    ) missing;
}

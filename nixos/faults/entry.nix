# What is wrong with one entry's configuration, as a list of NixOS assertions.
# A pure function over values. The first two are nixpkgs' own; the others refuse
# what would lose data, publish a secret, or what the runner silently drops. What
# instances share is looked at once, however many there are.
{
  lib,
  # The files that hold the secrets of all runners, and whether there is an instance
  # of a name.
  secrets,
  isInstance,
  # What the host is called, or "" if it learns that at run time.
  hostName,
  # Instance → the variables of its unit as the whole configuration makes it.
  environmentOf,
}:

let
  inherit (builtins) match stringLength;
  addressOf = import ./url.nix { inherit lib; };
  slice = import ../units/slice.nix { inherit lib; };
  secretFile = import ./secret-file.nix { inherit lib; };
  workDirFaults = import ./work-dir.nix { inherit lib secrets; };

  keeperOf = import ./keeper.nix { inherit isInstance lib; };
in
# The entry's attribute name, its value, and the runners that it makes.
entry: runner: instances:

let
  refuse = fault: message: {
    assertion = !fault;
    message = "`services.github-runners.${entry}`: ${message}";
  };

  isPlain = instances ? ${entry};
  longest = builtins.foldl' (
    longest: text: if stringLength text > stringLength longest then text else longest
  ) "";

  # The first runner of each account.
  firsts =
    if runner.orgs == { } then
      [ runner ]
    else
      lib.mapAttrsToList (org: _: instances."${entry}-${org}-1") runner.orgs;
  addressesOf = map (first: addressOf first.url);
  addresses = addressesOf firsts;

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

  longestInstance = longest (builtins.attrNames instances);

  # The name as it is configured, then the longest that becomes of it.
  refuseNames =
    if runner.name == null && isPlain then
      [ ]
    else if runner.name == null && hostName == "" then
      [
        (refuse true "`name = null` names its runners after the host, but `networking.hostName` is empty. Set one of them.")
      ]
    else
      lib.take 1 (
        lib.concatMap (refuseArgument "`name`" 64) (
          lib.optional (runner.name != null) runner.name
          ++ lib.optional (!isPlain) (longest (lib.mapAttrsToList (_: { name, ... }: name) instances))
        )
      );

  # systemd reads the rest of the unit after a line break, and for no name at all
  # it takes root.
  refuseAccount =
    what: name:
    refuseFirst "`${what}` (${builtins.toJSON name})" [
      {
        fault = name == "";
        message = "is empty, so that the unit would run as root. Leave it out.";
      }
      {
        fault = !matches "[^\"'%:/\\[:cntrl:][:space:]]+" name;
        message = "cannot be the name of a ${what}. Give the name that `users.${what}s` has for it.";
      }
    ];
  refuseLimits =
    what: limits:
    lib.concatLists (
      lib.mapAttrsToList (
        limit: value:
        map
          (
            text:
            refuse true "`${what}.${limit}` (${builtins.toJSON text}) is blank or holds a line break or another control character. Write it as systemd.resource-control(5) has it."
          )
          (
            lib.filter (
              text: builtins.isString text && (matches "[[:space:]]*" text || hasControlCharacter text)
            ) (lib.toList value)
          )
      ) limits
    );

  # A file whose content nobody but root may see.
  refuseSecret =
    what: content: file:
    map ({ fault, message }: refuse fault message) (secretFile {
      inherit
        content
        file
        keeperOf
        what
        ;
      isHanded = runner.tokenType != "registration";
    });

  refuseApp =
    app:
    let
      # An account may have a token of its own.
      addresses = addressesOf (lib.filter (first: first.githubApp != null) firsts);
      owners = map (address: lib.toLower address.owner) addresses;
    in
    refuseSecret "`githubApp.privateKeyFile`" "key" app.privateKeyFile
    ++ [
      (refuse (!matches "[A-Za-z0-9._-]+" app.id)
        "`githubApp.id` (${builtins.toJSON app.id}) is neither a client id nor a number. Copy it from the page of the App at GitHub."
      )
      (refuse (runner.tokenType == "registration")
        "`tokenType = \"registration\"` says that there is a registration token, but `githubApp` registers the runner. Remove one of them."
      )
    ]
    ++ refuseFirst "`githubApp`" (
      # Of a page that is wrong, the owner is, too.
      lib.optionals (pageFaults == [ ]) (
        lib.concatMap (address: [
          {
            fault = address.isEnterprise;
            message = "cannot register a runner of an enterprise, because GitHub lets no App administer these. Use `tokenFile` with a classic personal access token that has the scope `manage_runners:enterprise`.";
          }
          {
            fault = app.login != null && lib.toLower app.login != lib.toLower address.owner;
            message = "is installed by ${builtins.toJSON app.login}, its `login` says, but ${
              if runner.orgs == { } then "`url`" else "a page of `orgs`"
            } belongs to ${builtins.toJSON address.owner}. Correct one of them, or remove `login`.";
          }
        ]) addresses
        ++ [
          {
            fault = app.installationId != null && lib.any (owner: owner != builtins.head owners) owners;
            message = "has an `installationId`, which belongs to one account, but `orgs` has several. Remove it, and each is looked up.";
          }
        ]
      )
    );

  # With accounts the address is the server's, and each page has it from there.
  pageFaults =
    if runner.orgs == { } then
      refuseFirst "`url`" (builtins.head addresses).faults
    else if matches "[^:/?#]*://[^/?#]*/+[^/].*" runner.url then
      [
        (refuse true "`url` (${runner.url}) has a path, but with `orgs` it is the page of the server, to which each `login` is added. Write `https://HOST`, or leave it out for github.com; or remove `orgs`.")
      ]
    else
      lib.take 1 (
        lib.concatLists (
          lib.mapAttrsToList (
            org: account:
            let
              page = instances."${entry}-${org}-1".url;
            in
            refuseFirst (
              if account.url != null then
                "`orgs.${org}.url`"
              else
                "The page ${page}, which `url` and a `login` of `orgs` make,"
            ) (addressOf page).faults
          ) runner.orgs
        )
      );

  refuseJit = refuseFirst "`registration.method = \"jit\"`" [
    {
      fault = !runner.ephemeral;
      message = "makes ephemeral runners only. Set `ephemeral` too, or remove it.";
    }
    {
      fault = runner.tokenType == "registration";
      message = "needs an access token or an App, but `tokenType` says that there is a registration token. Remove one of them.";
    }
    {
      fault = runner.runnerGroup != null && lib.any (address: address.isRepository) addresses;
      message = "does not go together with `runnerGroup` for a repository, because GitHub offers no way to look up the groups there. Remove one of them, or register the runner for the organization.";
    }
  ];
in
[
  (refuse (runner.noDefaultLabels && lib.any (first: first.extraLabels == [ ]) firsts)
    "`noDefaultLabels` leaves the runner without any label, so no job could find it. Put at least one label into `extraLabels`."
  )
  (refuse (runner.group != null && runner.user == null && !runner.createUser)
    "`group` without `user` would run the jobs as root. Set `user` too; if you mean root, say `user = \"root\"`."
  )

  (refuse (!matches "[A-Za-z0-9_-][A-Za-z0-9_.-]*" entry)
    "this name cannot be part of a unit's and a directory's name. Use letters, digits, `_`, `-` and, not as the first character, `.`; the name that GitHub shows is a separate option, `name`."
  )
  (refuse (stringLength longestInstance > 64)
    "${
      if isPlain then "this name is" else "with it, the name of the instance `${longestInstance}` is"
    } longer than 64 characters. Shorten it; the name that GitHub shows is a separate option, `name`."
  )
  (refuse (instances ? reconcile)
    "`github-runner-reconcile.service` is the unit that looks after all runners. Choose another name; the name that GitHub shows is a separate option, `name`."
  )

  (refuse (lib.any (
    first: first.tokenFile == null && first.githubApp == null
  ) firsts) "Nothing can register this runner. Set `tokenFile` or `githubApp`.")
  (refuse (runner.tokenFile != null && runner.githubApp != null)
    "Both `tokenFile` and `githubApp` are set, and only one of them can register the runner. Remove the other one."
  )

  (refuse
    (lib.any (
      instance: (environmentOf instance).RUNNER_ROOT or null != "%S/github-runner/${instance}"
    ) (builtins.attrNames (removeAttrs instances [ "reconcile" ])))
    "`RUNNER_ROOT`, in `extraEnvironment` or in the unit's `environment`, would make the runner look for its registration where it is not. Remove it; to move the work to another disk, set `workDir`."
  )
]
++ refuseFirst "The limit" (
  slice.faults "resources" runner.resources ++ slice.faults "resources.pool" runner.resources.pool
)
++ lib.concatLists (
  lib.mapAttrsToList (
    org: account:
    [
      (refuse (!matches "[A-Za-z0-9_.-]+" org)
        "the name of `orgs.${builtins.toJSON org}` cannot be part of a unit's and a directory's name. Use letters, digits, `_`, `-` and `.`, and put the account into its `login`."
      )
    ]
    ++ lib.optionals (account.tokenFile != null) (
      refuseSecret "`orgs.${org}.tokenFile`" "token" account.tokenFile
    )
  ) runner.orgs
)
++ refuseNames
++ lib.optionals (runner.user != null) (refuseAccount "user" runner.user)
++ lib.optionals (runner.group != null) (refuseAccount "group" runner.group)
++ refuseLimits "resources" (removeAttrs runner.resources [ "pool" ])
++ refuseLimits "resources.pool" runner.resources.pool
++ lib.optionals (runner.runnerGroup != null) (
  refuseArgument "`runnerGroup`" 256 runner.runnerGroup
)
++ lib.concatMap (
  label:
  refuseArgument "The label" 256 label
  ++ [
    (refuse (lib.hasInfix "," label) "The label ${builtins.toJSON label} has a comma, which separates labels. Make it two entries of `extraLabels`.")
  ]
) (lib.unique (lib.concatMap (first: first.extraLabels) firsts))
++ pageFaults
++ lib.optionals (runner.tokenFile != null) (refuseSecret "`tokenFile`" "token" runner.tokenFile)
++ lib.optionals (runner.githubApp != null) (refuseApp runner.githubApp)
++ lib.optionals (runner.registration.method == "jit") refuseJit
++ lib.optionals (runner.workDir != null) (
  refuseFirst "`workDir` (${runner.workDir})" (
    workDirFaults entry (if isPlain then "/run/github-runner/${entry}" else null) runner.workDir
  )
)

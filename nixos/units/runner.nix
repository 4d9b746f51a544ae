# One runner's configuration as one systemd unit. A pure function: it reads no
# `config` and no `pkgs`, so that tests can render any runner without a NixOS.
{
  lib,
  # The package of the program that the start of a unit runs.
  helper,
  # Where the helper remembers registrations; closed to every service user.
  ledger,
  # Directory of the brokers' sockets, and the one where brokers keep what they
  # learned; closed as well.
  sockets,
  kept,
  # What is on a job's PATH before the runner's `extraPackages`.
  packages,
  # Variables by which programs of this host find their proxy.
  proxy,
}:

let
  inherit (import ./syntax.nix) argument entry literal;
  inherit (import ./order.nix { inherit lib; }) ahead atTheTop yielding;
  slice = import ./slice.nix { inherit lib; };
  isMadeByGithub = import ./jit.nix;

  inherit (import ./hardening.nix) standard;
  place =
    values:
    atTheTop (
      builtins.mapAttrs (_: value: if builtins.isList value then value else lib.mkDefault value) values
    );
  # Most runners have it as it is.
  sandbox = place standard;
  sandboxWith =
    changes:
    if changes == { } then
      sandbox
    else
      place (lib.filterAttrs (_: value: value != null) (standard // changes));

  commandLine = lib.concatMapStringsSep " " argument;
  program = commandLine [ "${helper}/bin/github-runner-helper" ];
  ledgerOption = commandLine [
    "--ledger-directory"
    ledger
  ];
in
{
  instance,
  runner,
  # Path of the runner's manifest.
  manifest,
  # The units that have to be there first, if there is a broker.
  broker,
  # This unit as the whole configuration makes it. Whether something is in it must
  # not decide whether something else is: evaluation would go round in circles.
  merged,
  # What jobs are let do beyond the others' by options of their own; see ../profiles.
  profile ? import ../profiles/none.nix,
  # For a template whose instances are orders: what they have in place of a registration
  # of their own; see on-demand.nix.
  order ? null,
}:

let
  isOrder = order != null;

  stepOf = import ./steps.nix runner;

  # Below the directories that systemd makes for the unit. Not taken from
  # `$STATE_DIRECTORY` and its kin: `serviceOverrides` may add directories, and
  # these variables then hold several paths.
  subdirectory = "github-runner/${instance}";
  state = if isOrder then "%t/${order.state}" else "%S/${subdirectory}";
  logs = "%L/${subdirectory}";
  work =
    if isOrder then
      "%t/${order.work}"
    else if runner.workDir == null then
      "%t/${subdirectory}"
    else
      runner.workDir;

  # What no job may read.
  secret = import ./secret.nix runner;

  # What all steps are told.
  told = commandLine [
    "--manifest"
    "${manifest}"
    "--state-directory"
    state
    "--work-directory"
    work
    "--logs-directory"
    logs
  ];
  lineOf = verb: "${program} ${verb} ${told}";
  userStep = verb: stepOf verb "" (lineOf verb);
  # With full privileges and outside of the sandbox; see systemd.service(5).
  orderStep = verb: "+${lineOf verb}";
  ledgerStep =
    verb: more:
    stepOf verb "+" (
      lib.concatStringsSep " " (
        [
          (lineOf verb)
          ledgerOption
        ]
        ++ more
      )
    );
  rootStep = verb: ledgerStep verb [ ];
  # Also where there is no broker: the program finds out when it needs one.
  brokerOption = commandLine [
    "--broker"
    "${sockets}/${instance}"
  ];
  brokeredStep = verb: ledgerStep verb [ brokerOption ];

  # A default for what has a second name, which wins. Where that one comes earlier
  # in the text of a unit, the default would. As a list, so that only the text
  # depends on it.
  unlessNamed =
    section: name: value:
    yielding [ (lib.last (lib.toList (merged.${section}.${name} or value))) ];

  # A switch leaves it alone, also when it removes it: what is due happens between
  # two jobs, or when somebody says so. An order ends by itself.
  staysAtSwitch = isOrder || runner.restartPolicy != "immediate";

  # A registration that the unit asks for, keeps and takes back.
  registered = {
    ExecStartPre =
      brokeredStep "prepare"
      # The only step in the sandbox, which takes longer than both others together.
      ++ lib.optionals (!isMadeByGithub runner) (userStep "configure")
      # Before the first job starts: afterwards the files are hostile input.
      ++ rootStep "record";
    # Before the listener is told to end, or a job could still come.
    ExecStop = brokeredStep "release";
    # Whichever way the unit ended: what is not needed any more is taken back.
    ExecStopPost = brokeredStep "settle";

    # An ephemeral runner ends well after each job and registers for the next
    # one; a persistent one is meant to be there.
    Restart = yielding "always";
    # What fails again waits longer, in the first step.
    RestartSec = yielding (if runner.ephemeral then "1s" else "5s");
    # The listener's word for "an error that may pass".
    RestartForceExitStatus = [ 2 ];
    # Its word for "GitHub serves this version no more": another start changes
    # nothing.
    RestartPreventExitStatus = [ 7 ];

    # No logs directory: root makes it, and keeps there what the listener logged.
    RuntimeDirectory = [ subdirectory ];
    StateDirectory = [ subdirectory ];
    StateDirectoryMode = "0700";
  };

  # One that somebody made for one job, and takes back. Nothing of it is kept.
  ordered = {
    ExecStartPre = [
      "${orderStep "place"} ${
        commandLine [
          "--registration"
          order.registration
        ]
      }"
    ];
    ExecStopPost = [ (orderStep "clear") ];
    Restart = "no";
    RuntimeMaxSec = order.ttl;
    RuntimeDirectory = [
      order.state
      order.work
    ];
  };
in
{
  description = if isOrder then "GitHub Actions runner of order %i" else "GitHub Actions runner";
  wantedBy = lib.optional (!isOrder) "multi-user.target";
  # A runner that keeps its registration starts without its broker.
  wants = [ "network-online.target" ] ++ broker ++ profile.units;
  after = [
    "network.target"
    "network-online.target"
    # A resolver of this host has to be there when the host shuts down, too.
    "nss-lookup.target"
  ]
  ++ broker
  ++ profile.units;

  environment = lib.mkMerge [
    (builtins.mapAttrs (_: yielding) proxy)
    (
      {
        HOME = work;
        # The runner as nixpkgs packages it keeps its registration here.
        RUNNER_ROOT = state;
        # Tells a runner that GitHub no longer serves apart from one that failed.
        ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE = "true";
      }
      // profile.environment
      // lib.optionalAttrs isOrder { ACTIONS_RUNNER_HOOK_JOB_STARTED = "${order.hook}"; }
      // runner.extraEnvironment
    )
  ];

  inherit (ahead { path = profile.first ++ packages ++ runner.extraPackages ++ profile.last; })
    path
    ;

  serviceConfig = lib.mkMerge [
    (sandboxWith profile.sandbox)

    { Slice = yielding "${slice.name runner.pool}.slice"; }
    (builtins.mapAttrs (_: yielding) (slice.directives runner.resources))

    (ahead (if isOrder then ordered else registered))

    (ahead {
      ExecStart = "${runner.package}/bin/Runner.Listener run --startuptype service";

      # The listener treats this signal as a request to finish, and itself ends what
      # its job started, in an order that lets the job say how it went. So it alone
      # gets the signal, and what it leaves behind delays nobody.
      KillSignal = "SIGINT";
      KillMode = yielding "mixed";
      # The kernel ended a process of a job, so that the job failed. Without this
      # systemd would stop the listener besides, which cancels the job.
      OOMPolicy = yielding "continue";

      # Before each step systemd sets it again, so here as well as in the helper.
      RuntimeDirectoryMode = lib.mkDefault runner.workDirMode;

      InaccessiblePaths = [
        # Read literally by the helper, but expanded by systemd.
        (entry "-${literal secret}")
        "-${ledger}"
        "-${sockets}"
        "-${kept}"
        # Where systemd puts it, for it belongs to dynamic users.
        "-${builtins.dirOf kept}/private/${baseNameOf kept}"
      ]
      ++ lib.optionals isOrder order.closed;
    })

    # What could start something that outlives the unit. Directories, because a
    # service that restarts makes its socket anew. The rest of /run/systemd is what
    # names and users are looked up by, the journal, and the sign of a running systemd.
    (lib.mkIf (!runner.exposeSystemServices) (ahead {
      BindReadOnlyPaths = map (directory: "-/run/systemd/${directory}") [
        "journal"
        "resolve"
        "system"
        "userdb"
      ];
      InaccessiblePaths = [
        "-/run/dbus"
        "-/run/user"
      ];
      TemporaryFileSystem = [ "/run/systemd:ro" ];
    }))

    # Instances of a template share a dynamic user (systemd/systemd#38246), so each has its
    # own directory alone, and jobs cannot reach processes of the others. systemd before 257
    # does not know the first word.
    (lib.mkIf isOrder {
      PrivatePIDs = yielding true;
      PrivateIPC = yielding true;
    })
    (lib.mkIf isOrder (ahead {
      TemporaryFileSystem = [ "%t/${order.all}:ro" ];
      BindPaths = [ "%t/${order.own}" ];
    }))

    # The prefix lets the unit start although the directory is missing: its first
    # step creates it and gives it to the service user.
    (
      if runner.workDir == null then
        { WorkingDirectory = work; }
      else
        ahead {
          BindPaths = [ (entry "-${work}") ];
          WorkingDirectory = "-${work}";
        }
    )

    (ahead {
      # Longer than the helper waits for its turn and lets a registration take, so
      # that its error message comes before systemd's kill.
      TimeoutStartSec = unlessNamed "serviceConfig" "TimeoutSec" "15min";
      # Of each part of a stop: `release` takes 5 s, `settle` 20 s, each by a limit
      # of its own, and GitHub's own service ends a listener after 30 s, of which a
      # step that does not listen takes 10. Together less than a minute.
      TimeoutStopSec = unlessNamed "serviceConfig" "TimeoutSec" "30s";
    })

    (lib.mkIf (runner.user != null) {
      DynamicUser = false;
      User = runner.user;
    })
    (lib.mkIf (runner.group != null) {
      DynamicUser = false;
      Group = runner.group;
    })

    (ahead profile.lists)

    (ahead runner.serviceOverrides)
  ];

  unitConfig = lib.mkMerge [
    # A failing start makes the next one wait, so that no limit has to end them. Not
    # by the option of NixOS, beside which the directive itself would be a conflict.
    (ahead { StartLimitIntervalSec = unlessNamed "unitConfig" "StartLimitInterval" 0; })
    # What became of an order is the desk's to say, and no unit of it is started twice.
    (lib.mkIf isOrder { CollectMode = "inactive-or-failed"; })
    (lib.mkIf staysAtSwitch { X-StopOnRemoval = yielding false; })
  ];
  restartIfChanged = lib.mkIf staysAtSwitch (yielding false);
}

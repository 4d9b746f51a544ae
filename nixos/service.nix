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
}:

let
  inherit (import ./unit-syntax.nix) argument entry literal;
  slice = import ./slice.nix { inherit lib; };

  sandbox = builtins.mapAttrs (
    _: value: if builtins.isList value then lib.mkBefore value else lib.mkDefault value
  ) (import ./hardening.nix).standard;
in
{
  instance,
  runner,
  # Path of the runner's manifest.
  manifest,
  # The units that have to be there first, if there is a broker.
  broker,
}:

let
  # Below the directories that systemd makes for the unit. Not taken from
  # `$STATE_DIRECTORY` and its kin: `serviceOverrides` may add directories, and
  # these variables then hold several paths.
  subdirectory = "github-runner/${instance}";
  state = "%S/${subdirectory}";
  logs = "%L/${subdirectory}";
  work = if runner.workDir == null then "%t/${subdirectory}" else runner.workDir;

  # What no job may read.
  secret = import ./secret.nix runner;

  step =
    prefix: verb: options:
    prefix
    + lib.concatMapStringsSep " " argument (
      [
        "${helper}/bin/github-runner-helper"
        verb
        "--manifest"
        "${manifest}"
        "--state-directory"
        state
        "--work-directory"
        work
        "--logs-directory"
        logs
      ]
      ++ options
    );
  # With full privileges and outside of the sandbox; see systemd.service(5).
  rootStep =
    verb: options:
    step "+" verb (
      [
        "--ledger-directory"
        ledger
      ]
      ++ options
    );
  # Also where there is no broker: the program finds out when it needs one.
  brokeredStep =
    verb:
    rootStep verb [
      "--broker"
      "${sockets}/${instance}"
    ];
  userStep = verb: step "" verb [ ];
in
{
  description = "GitHub Actions runner";
  wantedBy = [ "multi-user.target" ];
  # A runner that keeps its registration starts without its broker.
  wants = [ "network-online.target" ] ++ broker;
  after = [
    "network.target"
    "network-online.target"
    # A resolver of this host has to be there when the host shuts down, too.
    "nss-lookup.target"
  ]
  ++ broker;

  # A failing start makes the next one wait, so that no limit has to end them.
  startLimitIntervalSec = lib.mkDefault 0;

  environment = {
    HOME = work;
    # The runner as nixpkgs packages it keeps its registration here.
    RUNNER_ROOT = state;
    # Tells a runner that GitHub no longer serves apart from one that failed.
    ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE = "true";
  }
  // runner.extraEnvironment;

  path = packages ++ runner.extraPackages;

  serviceConfig = lib.mkMerge [
    sandbox

    { Slice = lib.mkDefault "${slice.name runner.pool}.slice"; }
    (builtins.mapAttrs (_: lib.mkDefault) (slice.directives runner.resources))

    {
      # Where another start would only end as the last one did; systemd itself
      # goes by what the listener ends with, and not by the steps before it.
      ExecCondition = [ (rootStep "hold" [ ]) ];
      ExecStartPre = [
        (brokeredStep "prepare")
        (userStep "configure")
        # Before the first job starts: afterwards the files are hostile input.
        (rootStep "record" [ ])
        (userStep "link")
      ];
      ExecStart = "${runner.package}/bin/Runner.Listener run --startuptype service";
      # Before the listener is told to end, or a job could still come.
      ExecStop = [ (brokeredStep "release") ];
      # Whichever way the unit ended: what is not needed any more is taken back.
      ExecStopPost = [ (brokeredStep "settle") ];

      # The listener treats this signal as a request to finish.
      KillSignal = "SIGINT";
      # An ephemeral runner ends well after each job and registers for the next
      # one; a persistent one is meant to be there.
      Restart = lib.mkDefault "always";
      # What fails again waits longer, in the first step.
      RestartSec = lib.mkDefault (if runner.ephemeral then "1s" else "5s");
      # The listener's word for "an error that may pass".
      RestartForceExitStatus = [ 2 ];
      # Its word for "GitHub serves this version no more": another start changes
      # nothing.
      RestartPreventExitStatus = [ 7 ];

      LogsDirectory = [ subdirectory ];
      RuntimeDirectory = [ subdirectory ];
      StateDirectory = [ subdirectory ];
      StateDirectoryMode = "0700";

      InaccessiblePaths = [
        # Read literally by the helper, but expanded by systemd.
        (entry "-${literal secret}")
        "-${ledger}"
        "-${sockets}"
        "-${kept}"
        # Where systemd puts it, for it belongs to dynamic users.
        "-${builtins.dirOf kept}/private/${baseNameOf kept}"
      ];
    }

    # The prefix lets the unit start although the directory is missing: its first
    # step creates it and gives it to the service user.
    (
      if runner.workDir == null then
        { WorkingDirectory = work; }
      else
        {
          BindPaths = [ (entry "-${work}") ];
          WorkingDirectory = "-${work}";
        }
    )

    # Longer than the helper waits for its turn and lets a registration take, so
    # that its error message comes before systemd's kill. The older spelling sets
    # this limit, too.
    (lib.mkIf (!runner.serviceOverrides ? TimeoutSec) { TimeoutStartSec = lib.mkDefault "15min"; })

    (lib.mkIf (runner.user != null) {
      DynamicUser = false;
      User = runner.user;
    })
    (lib.mkIf (runner.group != null) {
      DynamicUser = false;
      Group = runner.group;
    })

    runner.serviceOverrides
  ];
}
# A switch leaves these alone, also when it removes them: what is due happens
# between two jobs, or when somebody says so.
// lib.optionalAttrs (runner.restartPolicy != "immediate") {
  restartIfChanged = lib.mkDefault false;
  unitConfig.X-StopOnRemoval = lib.mkDefault false;
}

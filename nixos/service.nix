# One runner's configuration as one systemd unit. A pure function: it reads no
# `config` and no `pkgs`, so that tests can render any runner without a NixOS.
{
  lib,
  # The package of the program that the start of a unit runs.
  helper,
  # Where the helper remembers registrations; closed to every service user.
  ledger,
  # What is on a job's PATH before the runner's `extraPackages`.
  packages,
}:

{
  instance,
  runner,
  # Path of the runner's manifest.
  manifest,
}:

let
  hardening = import ./hardening.nix;

  # Below the directories that systemd makes for the unit. Not taken from
  # `$STATE_DIRECTORY` and its kin: `serviceOverrides` may add directories, and
  # these variables then hold several paths.
  subdirectory = "github-runner/${instance}";
  state = "%S/${subdirectory}";
  logs = "%L/${subdirectory}";
  work = if runner.workDir == null then "%t/${subdirectory}" else runner.workDir;

  doublePercent = builtins.replaceStrings [ "%" ] [ "%%" ];
  quote =
    text: if builtins.match "[A-Za-z0-9_./%@,+=-]+" text != null then text else builtins.toJSON text;
  # systemd expands variables in command lines, also inside quotes.
  commandArgument = text: quote (builtins.replaceStrings [ "$" ] [ "$$" ] text);

  step =
    prefix: verb: options:
    prefix
    + lib.concatMapStringsSep " " commandArgument (
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
    verb:
    step "+" verb [
      "--ledger-directory"
      ledger
    ];
  userStep = verb: step "" verb [ ];
in
{
  description = "GitHub Actions runner";
  wantedBy = [ "multi-user.target" ];
  wants = [ "network-online.target" ];
  after = [
    "network.target"
    "network-online.target"
  ];

  environment = {
    HOME = work;
    # The runner as nixpkgs packages it keeps its registration here.
    RUNNER_ROOT = state;
  }
  // runner.extraEnvironment;

  path = packages ++ runner.extraPackages;

  serviceConfig = lib.mkMerge [
    (builtins.mapAttrs (
      _: value: if builtins.isList value then lib.mkBefore value else lib.mkDefault value
    ) hardening.standard)

    {
      ExecStartPre = [
        (rootStep "prepare")
        (userStep "configure")
        # Before the first job starts: afterwards the files are hostile input.
        (rootStep "record")
        (userStep "link")
      ];
      ExecStart = "${runner.package}/bin/Runner.Listener run --startuptype service";

      # The listener treats this signal as a request to finish.
      KillSignal = "SIGINT";
      # An ephemeral runner ends well after each job and must register for the
      # next one.
      Restart = if runner.ephemeral then "on-success" else "no";
      # The listener's word for "an error that may pass".
      RestartForceExitStatus = [ 2 ];

      LogsDirectory = [ subdirectory ];
      RuntimeDirectory = [ subdirectory ];
      StateDirectory = [ subdirectory ];
      StateDirectoryMode = "0700";

      InaccessiblePaths = [
        # Read literally by the helper, but expanded by systemd.
        (quote "-${doublePercent (toString runner.tokenFile)}")
        "-${ledger}"
      ];
    }

    # The prefix lets the unit start although the directory is missing: its first
    # step creates it and gives it to the service user.
    (
      if runner.workDir == null then
        { WorkingDirectory = work; }
      else
        {
          BindPaths = [ (quote "-${work}") ];
          WorkingDirectory = "-${work}";
        }
    )

    # Longer than the helper lets a registration take, so that its error message
    # comes before systemd's kill. The older spelling sets this limit, too.
    (lib.mkIf (!runner.serviceOverrides ? TimeoutSec) { TimeoutStartSec = lib.mkDefault "10min"; })

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

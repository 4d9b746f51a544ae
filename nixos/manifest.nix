# The JSON file that tells the helper and the broker what one runner should be
# (version 2). Checked in its own build by the program that will read it at run
# time, so that a configuration it would refuse never reaches a machine. Holds paths of
# secrets, never secrets: the store is readable by everyone.
{
  helper,
  pkgs,
}:

instance: runner:

let
  # Interpolating a path would copy the secret into the store.
  place = path: if path == null then null else toString path;
in
pkgs.writeTextFile {
  name = "github-runner-${instance}-manifest.json";

  text = builtins.toJSON (
    {
      version = 2;
      inherit instance;
      # A difference in here registers the runner anew. These eight fields are also
      # what nixpkgs' module compares, so a runner that comes from there is
      # recognised and keeps its registration.
      registration = {
        inherit (runner)
          ephemeral
          extraLabels
          name
          noDefaultLabels
          runnerGroup
          url
          workDir
          ;
        tokenFile = place runner.tokenFile;
      };
      inherit (runner)
        reRegisterOnTokenChange
        replace
        tokenType
        workDirMode
        ;
      inherit (runner.registration) method;
      githubApp =
        if runner.githubApp == null then
          null
        else
          {
            inherit (runner.githubApp) id installationId login;
            privateKeyFile = place runner.githubApp.privateKeyFile;
          };
      # For the time when there is no broker unit any more, but registrations to take back.
      inherit (runner) brokerEnvironment;
      # In days and MiB.
      inherit (runner) logs;
      # Who could read the secret, and whether they may.
      inherit (runner) supplementaryGroups trustJobsLikeRoot;
      # A digest of the unit; nobody reads it.
      inherit (runner) unit;
      # Seconds between two registrations of which the first was of no use.
      registrationInterval = 60;
      # Where there is a work directory of its own, its disk sets the limit.
      workDirSize = if runner.workDir == null then toString runner.workDirSize else null;
      # Milliseconds between two starts on this host.
      startDistance = 200;
      listener = "${runner.package}/bin/Runner.Listener";
    }
    // (if runner.cleanWorkDir or "start" == "never" then { cleanWorkDir = "never"; } else { })
    // (
      if runner.minFreeSpace or null != null then
        { minFreeSpace = toString runner.minFreeSpace; }
      else
        { }
    )
    # Whose runs its broker may look at; an ordinary runner's looks at none.
    // (if runner ? repositories then { inherit (runner) repositories; } else { })
  );

  # A cross build cannot run the helper; there the start of the unit reports the
  # same faults.
  checkPhase =
    if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
      ''${helper}/bin/github-runner-helper check "$target"''
    else
      "";
}

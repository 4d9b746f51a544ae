# The broker of one runner as two systemd units: a socket that root alone may
# open, and the service that answers the requests of a connection to it. Only this service ever
# holds the API credential. A pure function, like runner.nix.
{
  lib,
  # The package of the program that answers.
  runnerctl,
  # Where root remembers registrations.
  ledger,
  # Directory of the sockets.
  sockets,
  # Below it brokers keep what they learned.
  kept,
}:

{
  instance,
  runner,
  # Path of the runner's manifest.
  manifest,
  # What of the runner's unit leads to the server; see ways.nix.
  ways,
}:

let
  inherit (import ./syntax.nix) argument entry literal;
  hardening = import ./hardening.nix;

  credential = import ./secret.nix runner;
  # Names a credential by its file.
  hash = builtins.substring 0 12 (builtins.hashString "sha256" credential);

  # Where jobs and other requests leave traces.
  closed = [
    (entry "-${literal credential}")
    "-${ledger}"
    "-${sockets}"
  ]
  ++ import ./traces.nix { inherit lib; } [
    "%L"
    "%S"
    "%t"
  ]
  ++ lib.optional (runner.workDir != null) (entry "-${runner.workDir}");
in
{
  # Both units answer as long as runners stop, also when the host shuts down: a
  # socket that is about to stop refuses, and so does everything that shutdown
  # would have to stop. So neither has a dependency that takes part in that.
  socket = import ./broker-socket.nix {
    description = "Door to the broker of GitHub Actions runner ${instance}";
    path = "${sockets}/${instance}";
  };

  service = {
    description = "Broker of GitHub Actions runner ${instance}";
    # A switch leaves a request that is being answered alone.
    restartIfChanged = false;
    unitConfig = {
      CollectMode = "inactive-or-failed";
      DefaultDependencies = false;
    }
    // ways.unitConfig;
    inherit (ways) environment;

    serviceConfig =
      hardening.broker
      // ways.network
      // {
        ExecStart = lib.concatMapStringsSep " " argument [
          "${runnerctl}/bin/github-runnerctl"
          "broker"
          "--manifest"
          "${manifest}"
        ];
        StandardInput = "socket";
        StandardOutput = "socket";
        StandardError = "journal";

        # Never quoted; faults/entry.nix refuses what this cannot express.
        LoadCredential = [
          "credential:${literal credential}"
          "ledger:${ledger}/${instance}.json"
          # Always there, so without it somebody reset this list.
          "given:${manifest}"
        ];
        # What stands for a file that is not there, and is in no such file. The broker
        # says what is missing, where systemd would hang up.
        SetCredential = [
          "credential:no file\\n"
          "ledger:no file\\n"
        ];

        # Brokers with the same credential share a user and a directory, in which they
        # keep the token of an installation and the ids of groups, so that many runners
        # cost one look-up. Never with another credential: whoever can read what is kept
        # holds the file that opens as much. In memory only, until the host shuts down.
        User = "gh-broker-${hash}";
        RuntimeDirectory = "${baseNameOf kept}/${hash}";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;

        inherit (ways.paths) BindPaths BindReadOnlyPaths;
        InaccessiblePaths = closed ++ ways.paths.InaccessiblePaths;

        # No connection takes so long: it is limited in age and number of requests, and
        # whoever asks has given up by then.
        RuntimeMaxSec = "180s";
        # Instances would get a slice of their own, which shutdown stops first.
        Slice = "system.slice";
      };
  };
}

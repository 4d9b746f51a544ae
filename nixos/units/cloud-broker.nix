# The broker of a cloud for one class of runners on demand, as two systemd units, like those of broker.nix: the only service
# that ever holds the cloud's credential, and it has none of GitHub. A pure function.
{
  lib,
  # The package of the program that answers.
  runnerctl,
  # Where root remembers registrations.
  ledger,
  # Directory of the sockets.
  sockets,
  # Below it brokers of GitHub keep what they learned.
  kept,
}:

{
  # The class's name, and that of its socket.
  class,
  instance,
  # Path of its manifest.
  manifest,
  # Path of the credential, or null where this host has a role.
  credential,
  # Variables by which the cloud is reached.
  environment,
  # Further paths that it must not see.
  closed,
}:

let
  inherit (import ./syntax.nix) argument literal;
  hardening = import ./hardening.nix;
in
{
  socket = import ./broker-socket.nix {
    description = "Door to the cloud broker of runners on demand, class ${class}";
    path = "${sockets}/${instance}";
    # Each order of the class may ask, and the desk besides.
    most = 64;
  };

  service = {
    description = "Cloud broker of runners on demand, class ${class}";
    # A switch leaves a request that is being answered alone.
    restartIfChanged = false;
    unitConfig = {
      CollectMode = "inactive-or-failed";
      DefaultDependencies = false;
    };
    inherit environment;

    serviceConfig =
      hardening.broker
      // {
        ExecStart = lib.concatMapStringsSep " " argument [
          "${runnerctl}/bin/github-runnerctl"
          "cloud-broker"
          "--manifest"
          manifest
        ];
        StandardInput = "socket";
        StandardOutput = "socket";
        StandardError = "journal";

        # Where jobs, other brokers and orders leave traces.
        InaccessiblePaths = [
          "-${ledger}"
          "-${sockets}"
          "-${kept}"
          "-${builtins.dirOf kept}/private/${baseNameOf kept}"
        ]
        ++ import ./traces.nix { inherit lib; } [
          "%L"
          "%S"
          "%t"
        ]
        ++ closed;

        # No question takes so long, and whoever asks has given up by then.
        RuntimeMaxSec = "180s";
        # Instances would get a slice of their own, which shutdown stops first.
        Slice = "system.slice";
      }
      // lib.optionalAttrs (credential != null) {
        LoadCredential = [ "credential:${literal credential}" ];
        # What stands for a file that is not there: the broker says what is missing, where systemd would hang up.
        SetCredential = [ "credential:no file\\n" ];
        # Where a host in this cloud would find the credential of its role. The file is meant to be all.
        IPAddressDeny = [
          "169.254.169.254"
          "fd00:ec2::254"
        ];
      };
  };
}

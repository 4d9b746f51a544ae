# The sandbox of a broker that has no unit, because its runner has none or has it no longer: what `systemd-run` is
# told, as a list of `NAME=value`. A pure function.
{
  lib,
  # Where root remembers registrations.
  ledger,
  # Directory of the brokers' sockets.
  sockets,
}:

{
  # Variables by which the server is reached.
  environment,
  # Directives besides those of the sandbox, and paths that it must not see either.
  further ? { },
  closed ? [ ],
}:

let
  hardening = import ./hardening.nix;
  traces = import ./traces.nix { inherit lib; };

  # Where runners have theirs.
  directories = [
    "/var/lib"
    "/var/log"
    "/run"
  ];
  text = value: if builtins.isBool value then builtins.toJSON value else toString value;
in
lib.concatLists (
  lib.mapAttrsToList (name: value: map (one: "${name}=${text one}") (lib.toList value)) (
    # A dynamic user brings its own, and systemd before 257 refuses the other word.
    removeAttrs hardening.broker [ "PrivateTmp" ]
    // {
      InaccessiblePaths = [
        "-${ledger}"
        "-${sockets}"
      ]
      ++ traces directories
      ++ closed;
      RuntimeMaxSec = "180s";
      Slice = "system.slice";
    }
    // further
  )
)
++ lib.mapAttrsToList (name: value: "Environment=${builtins.toJSON "${name}=${value}"}") environment

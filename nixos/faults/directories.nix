# Which directories are none of a job's business, by their names alone. The helper
# has the same lists, for units that were not made here; a test holds them together.
{
  # No work directory may be or contain one of these, because it is emptied.
  system = [
    "/bin"
    "/boot"
    "/dev"
    "/etc"
    "/home"
    "/lib"
    "/lib64"
    "/nix/store"
    "/nix/var"
    "/proc"
    "/root"
    "/run"
    "/sbin"
    "/srv"
    "/sys"
    "/tmp"
    "/usr"
    "/var/cache"
    "/var/lib"
    "/var/log"
    "/var/tmp"
  ];

  # None may lie in one of these either: configuration, programs, and where secrets
  # are put.
  whole = [
    "/bin"
    "/boot"
    "/etc"
    "/lib"
    "/lib64"
    "/nix/store"
    "/nix/var"
    "/proc"
    "/run/agenix"
    "/run/agenix.d"
    "/run/booted-system"
    "/run/credentials"
    "/run/credstore"
    "/run/current-system"
    "/run/dbus"
    "/run/keys"
    "/run/secrets"
    "/run/secrets-for-users"
    "/run/secrets-for-users.d"
    "/run/secrets.d"
    "/run/systemd"
    "/run/udev"
    "/run/wrappers"
    "/sbin"
    "/sys"
    "/usr"
    "/var/lib/nixos"
    "/var/lib/sops-nix"
    "/var/lib/systemd"
  ];

  # Where systemd keeps what belongs to units; that of dynamic users in `private`.
  bases = [
    "/run"
    "/run/private"
    "/var/lib"
    "/var/lib/private"
    "/var/log"
    "/var/log/private"
  ];

  # What runners, brokers and passes have there.
  runners = [
    "github-runner"
    "github-runner-broker"
    "github-runner-broker-kept"
    "github-runner-containers"
    "github-runner-on-demand"
    "github-runner-reconcile"
    "github-runner-registrations"
  ];
}

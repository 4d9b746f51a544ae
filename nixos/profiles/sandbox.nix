# Lines of the sandbox that classic workflows run into, each seen to be in the way alone
# and beside all others; what is not named here stays on. A pure function over values.
{ lib }:

let
  inherit (import ../units/hardening.nix) standard;

  # bubblewrap makes mounts, and drops its capabilities.
  namespaces = {
    RestrictNamespaces = false;
    # Also hides openat2(2), without which bubblewrap does nothing.
    RestrictSUIDSGID = false;
    SystemCallFilter = lib.subtractLists [
      "~@mount"
      "~capset"
    ] standard.SystemCallFilter;
  };

  sudo = {
    # In words of systemd.exec(5): all that the host has.
    CapabilityBoundingSet = [ "~" ];
    NoNewPrivileges = false;
    PrivateUsers = false;
    RestrictSUIDSGID = false;
    # One with `capset` stands for no-new-privileges, before systemd 255 any filter; and root, which a job is then, uses the rest.
    SystemCallFilter = null;
  };
in
runner:

let
  options = runner.sandbox;
in
{
  # Of both the second one opens more.
  sandbox =
    lib.optionalAttrs options.namespaces namespaces
    // lib.optionalAttrs options.sudo sudo
    // lib.optionalAttrs (options.umask != null) { UMask = options.umask; };
  # Programs with the setuid bit are there alone, and have to be found before the same ones without it.
  first = lib.optional options.sudo "/run/wrappers";
  may = lib.optional options.namespaces "namespaces" ++ lib.optional options.sudo "sudo";
}

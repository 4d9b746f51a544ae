# What can be wrong with a runner's own work directory, the first fault to name
# first. Every start empties this directory, so a wrong one destroys data: when in
# doubt, refuse.
{
  lib,
  ledger,
}:

let
  inherit (import ./path-components.nix { inherit lib; }) components expand;

  # Component by component: /var/library does not lie in /var/lib.
  liesIn = directory: path: lib.take (builtins.length directory) path == directory;

  # The list that the helper has, too, for units that were not made here.
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

in
# The entry's attribute name, the directory below which systemd keeps what is its
# own, and its work directory, in which those of several instances lie.
entry: subdirectory: workDir:

let
  # systemd keeps the directories of a dynamic user behind `private`.
  own = [
    "/var/lib/${subdirectory}"
    "/var/lib/private/${subdirectory}"
    "/var/log/${subdirectory}"
    "/var/log/private/${subdirectory}"
    ledger
  ];

  work = components workDir;
  contains = directory: liesIn work (components directory);
  overlaps = directory: contains directory || liesIn (components directory) work;
in
[
  {
    fault = !lib.hasPrefix "/" (expand workDir);
    message = "is not absolute. Let it start with `/`.";
  }
  {
    fault = builtins.elem ".." work;
    message = "holds `..`, so nobody can tell which directory would be emptied. Write the path without it.";
  }
  {
    fault = builtins.match "[^\"'\\[:cntrl:]]*[^\"'\\[:cntrl:][:space:]]" workDir == null;
    message = "holds a quote, a backslash, a control character or a space at its end, which systemd reads differently in different places. Rename the directory.";
  }
  {
    fault = lib.any contains system;
    message = "is or contains a directory of the system, and every start empties the work directory. Choose a directory that holds nothing else, for example `/var/lib/github-runner-work/${entry}`.";
  }
  {
    fault = lib.any overlaps own;
    message = "overlaps a directory in which the registration or the logs are kept, and every start empties the work directory. Choose a directory apart from them, for example `/var/lib/github-runner-work/${entry}`.";
  }
]

# What can be wrong with a directory that keeps what jobs download, the first fault to name
# first. It is given to jobs and stays, so it must be nobody else's. A pure function over values.
{
  lib,
  # The files that hold the secrets of all runners.
  secrets,
  # Directories that starts empty, and homes of runners.
  workDirs,
  homes,
  # All caches, each as its path and the user to whom it is given.
  caches,
}:

let
  inherit (import ./path-components.nix { inherit lib; }) components literalComponents;
  directories = import ./directories.nix;

  liesIn = directory: path: lib.take (builtins.length directory) path == directory;
  overlap = one: other: liesIn one other || liesIn other one;

  kept = map components (
    lib.concatMap (base: map (name: "${base}/${name}") directories.runners) directories.bases
  );
  system = map components directories.system;
  whole = map components directories.whole;
  # What a unit sees another of, or nothing.
  hidden = map components [
    "/dev"
    "/home"
    "/root"
    "/run/systemd"
    "/run/user"
    "/tmp"
    "/var/tmp"
  ];
  private = map components [
    "/run/private"
    "/var/cache/private"
    "/var/lib/private"
    "/var/log/private"
  ];

  secretPlaces = map (file: {
    inherit file;
    path = literalComponents file;
  }) secrets;
in
# The entry's name, the path, and the name of the unit's user.
entry: path: user:

let
  cache = components path;
  isIn = directory: liesIn directory cache;
  contains = liesIn cache;
  elsewhere = "Choose a directory that holds nothing else, for example `/var/cache/github-runner-jobs/${entry}`.";

  directoryOf = place: lib.take (builtins.length place - 1) place;
  isGeneral = directory: builtins.length directory < 2 || builtins.elem directory system;
  near = lib.filter (
    { path, ... }: contains path || isIn (directoryOf path) && !isGeneral (directoryOf path)
  ) secretPlaces;
  crossing = lib.filter (directory: overlap (components directory) cache);
  others = lib.filter (
    other:
    let
      theirs = components other.path;
    in
    overlap theirs cache && (theirs != cache || other.user != user)
  ) caches;
in
[
  {
    fault = builtins.match "(/[A-Za-z0-9_.@+=,-]+)+" path == null;
    message = "is not absolute, or has an empty part or a character that systemd reads differently in different places. Start it with `/`, and use letters, digits and `_.@+=,-`.";
  }
  {
    fault = builtins.match ".*/\\.\\.?(/.*)?" path != null;
    message = "holds `.` or `..` as a part, so nobody can tell which directory is meant. Write the path without it.";
  }
  {
    fault = lib.any contains system;
    message = "is or contains a directory of the system, which would be given to jobs. ${elsewhere}";
  }
  {
    fault = lib.any isIn whole;
    message = "lies in a directory of the system or of secrets, and jobs would have to be let into it. ${elsewhere}";
  }
  {
    fault = lib.any isIn hidden;
    message = "lies where jobs see another directory or none. ${elsewhere}";
  }
  {
    fault = lib.any isIn private;
    message = "lies where systemd keeps what belongs to dynamic users, and others cannot get there. ${elsewhere}";
  }
  {
    fault = lib.any (overlap cache) kept;
    message = "overlaps a directory in which registrations, logs or sockets of runners are kept. ${elsewhere}";
  }
  {
    fault = near != [ ];
    message = "overlaps the directory of the secret `${(builtins.head near).file}`, which would be given to jobs. ${elsewhere}";
  }
  {
    fault = crossing workDirs != [ ];
    message = "overlaps the work directory `${builtins.head (crossing workDirs)}`, and every start empties that one. ${elsewhere}";
  }
  {
    fault = crossing homes != [ ];
    message = "overlaps `${builtins.head (crossing homes)}`, the home of a runner's user. ${elsewhere}";
  }
  {
    fault = others != [ ];
    message = "overlaps `${(builtins.head others).path}`, which is given to the user `${(builtins.head others).user}`. Runners share a directory only if it is the same for the same user. ${elsewhere}";
  }
]

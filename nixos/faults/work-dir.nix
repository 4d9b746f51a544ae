# What can be wrong with a runner's own work directory, the first fault to name
# first. Every start empties this directory, so a wrong one destroys data: when in
# doubt, refuse.
{
  lib,
  # The files that hold the secrets of all runners.
  secrets,
}:

let
  inherit (import ./path-components.nix { inherit lib; }) components expand literalComponents;
  directories = import ./directories.nix;

  # Component by component: /var/library does not lie in /var/lib.
  liesIn = directory: path: lib.take (builtins.length directory) path == directory;

  runnerDirectories = map components (
    lib.concatMap (base: map (name: "${base}/${name}") directories.runners) directories.bases
  );
  system = map components directories.system;
  whole = map components directories.whole;

  # In these lie all sorts of things, so that being beside a secret says nothing.
  isGeneral = directory: builtins.length directory < 2 || builtins.elem directory system;

  places = map (
    file:
    let
      path = literalComponents file;
    in
    {
      inherit file path;
      directory = lib.take (builtins.length path - 1) path;
    }
  ) secrets;

in
# The entry's attribute name, its runtime directory if it makes a single runner,
# and its work directory, in which those of several instances lie.
entry: runtime: workDir:

let
  work = components workDir;
  contains = directory: liesIn work directory;
  isIn = directory: liesIn directory work;
  overlaps = directory: contains directory || isIn directory;
  isOwn = runtime != null && isIn (components runtime);

  near = lib.filter (
    { directory, path, ... }: contains path || isIn directory && !isGeneral directory
  ) places;
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
    fault = lib.any isIn whole;
    message = "lies in a directory of the system or of secrets, and jobs would have to be let into it. Choose a directory apart from them, for example `/var/lib/github-runner-work/${entry}`.";
  }
  {
    fault = !isOwn && lib.any overlaps runnerDirectories;
    message = "overlaps a directory in which registrations, logs or sockets of runners are kept, and every start empties the work directory. Choose a directory apart from them, for example `/var/lib/github-runner-work/${entry}`.";
  }
  {
    fault = near != [ ];
    message = "overlaps the directory of the secret `${(builtins.head near).file}`, and every start empties the work directory and gives it to jobs. Choose a directory apart from secrets, for example `/var/lib/github-runner-work/${entry}`.";
  }
]

# Where jobs leave traces below each of these directories, which no broker has to see, as a list of paths for
# `InaccessiblePaths`. A pure function.
{ lib }:

lib.concatMap (directory: [
  "-${directory}/github-runner"
  "-${directory}/private/github-runner"
])

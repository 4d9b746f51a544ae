# What is wrong with a user that a runner is to have made, and with what outlives its jobs. A
# pure function over values.
{
  lib,
  secrets,
  workDirs,
  homes,
  caches,
}:

let
  inherit (import ../profiles/user.nix { inherit lib; }) isName nameOf;
  inherit (import ./path-components.nix { inherit lib; }) components;
  cacheFaults = import ./cache-directory.nix {
    inherit
      caches
      homes
      lib
      secrets
      workDirs
      ;
  };
  liesIn = directory: path: lib.take (builtins.length directory) path == directory;
in
{ tell, ... }:

{
  runner,
  merged,
  user,
  ...
}:

let
  inherit (runner) cacheDirectory createUser;
  name = nameOf runner.pool;

  overlapped = lib.filter (
    home:
    runner.workDir != null
    && (
      liesIn (components home) (components runner.workDir)
      || liesIn (components runner.workDir) (components home)
    )
  ) homes;

  keepsWork = runner.cleanWorkDir == "never";
  outliving =
    lib.optional createUser "`createUser`"
    ++ lib.optional (cacheDirectory != null) "`cacheDirectory`"
    ++ lib.optional keepsWork "`cleanWorkDir`"
    ++ lib.optional (
      runner.containers.engine == "podman" && runner.containers.keepImages
    ) "`containers.keepImages`";
in
{
  refused =
    tell (createUser && (runner.user != name || runner.group != name))
      "`createUser` makes the user and the group `${name}`, but `user` or `group` names another one. Remove one of them."
    ++
      tell (createUser && !isName name)
        "`createUser` makes the user `${name}`, but names of users have 31 characters at most. Shorten the name of the entry, or set `user`."
    ++
      tell (createUser && merged.isOn "DynamicUser")
        "`createUser` makes a user, but `serviceOverrides` gives the unit a dynamic one. Remove one of them."
    ++
      tell (overlapped != [ ])
        "`workDir` (${runner.workDir}) overlaps `${builtins.head overlapped}`, the home of a runner's user, and every start empties the work directory. Choose a directory apart from it."
    ++
      tell (cacheDirectory != null && merged.isOn "DynamicUser" && !createUser)
        "`cacheDirectory` needs a user to whom it can belong while the runner does not run. Set `createUser = true`, or `user` to one that exists."
    ++
      tell (keepsWork && runner.workDir == null)
        "`cleanWorkDir = \"never\"` keeps nothing without `workDir`, because the default work directory is in memory and gone when the unit ends. Set `workDir`, or remove it."
    ++
      tell (keepsWork && merged.isOn "DynamicUser" && !createUser)
        "`cleanWorkDir = \"never\"` needs a user to whom the work directory can belong while the runner does not run. Set `createUser = true`, or `user` to one that exists."
    ++ lib.optionals (cacheDirectory != null) (
      lib.take 1 (
        lib.concatMap (
          { fault, message }: tell fault "`cacheDirectory` (${builtins.toJSON cacheDirectory}) ${message}"
        ) (cacheFaults runner.pool cacheDirectory user)
      )
    );

  warnings =
    tell (runner.ephemeral && outliving != [ ] && !runner.trustJobsLikeRoot)
      "what one job writes the next one runs, by ${lib.concatStringsSep " and " outliving}, although `ephemeral` promises that a job leaves nothing behind. Use an entry of its own for each degree of trust; or set `trustJobsLikeRoot = true`, and this is not said again.";
}

# A user of an entry's own, with a home, and a directory that keeps what jobs downloaded:
# what of it is in the unit, and what is on the host. Root makes no directory below one
# that belongs to jobs. A pure function over values.
{ lib }:

let
  homes = "/var/lib/github-runner-home";
  homeOf = entry: "${homes}/${entry}";
  nameOf = entry: "github-runner-${entry}";
  # The longest name that NixOS and systemd accept; a longer one is refused.
  isName = name: builtins.stringLength name <= 31;

  made = lib.filterAttrs (entry: runner: runner.createUser && isName (nameOf entry));
in
{
  inherit homeOf isName nameOf;

  part =
    runner:
    let
      home = homeOf runner.pool;
      cache = runner.cacheDirectory;
    in
    {
      environment =
        lib.optionalAttrs runner.createUser { HOME = home; }
        // lib.optionalAttrs (cache != null) {
          AGENT_TOOLSDIRECTORY = "${cache}/tools";
          RUNNER_TOOL_CACHE = "${cache}/tools";
          XDG_CACHE_HOME = "${cache}/xdg";
        };
      lists.ReadWritePaths = lib.optional runner.createUser home ++ lib.optional (cache != null) cache;
      may =
        lib.optional runner.createUser "home ${home}"
        ++ lib.optional (cache != null) "cache ${cache}"
        ++ lib.optional (runner.cleanWorkDir == "never") "work directory ${toString runner.workDir}";
    };

  # Entry → its value.
  users =
    entries:
    lib.mapAttrs' (
      entry: runner:
      lib.nameValuePair (nameOf entry) (
        {
          isSystemUser = true;
          description = "GitHub Actions runner";
          group = nameOf entry;
          home = homeOf entry;
        }
        // lib.optionalAttrs (runner.containers.engine == "podman") { autoSubUidGidRange = true; }
      )
    ) (made entries);
  groups = entries: lib.mapAttrs' (entry: _: lib.nameValuePair (nameOf entry) { }) (made entries);

  # The same, and all runners, each with the name of its user and of its group, if they have one.
  tmpfilesRules =
    entries: all:
    let
      withHome = builtins.attrNames (made entries);
    in
    lib.optional (withHome != [ ]) "d ${homes} 0755 root root - -"
    ++ map (entry: "d ${homeOf entry} 0700 ${nameOf entry} ${nameOf entry} - -") withHome
    ++ lib.unique (
      lib.concatMap (
        {
          runner,
          user,
          group,
        }:
        lib.optional (
          runner.cacheDirectory != null && user != null
        ) "d ${runner.cacheDirectory} 0700 ${user} ${if group == "" then "-" else group} - -"
      ) all
    );
}

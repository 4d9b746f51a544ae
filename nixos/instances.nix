# The runners that one entry of `services.github-runners` makes, by instance. Each
# is the entry's value with what is its own put in place, so that whatever takes
# a runner takes an instance. A pure function over values.
{
  lib,
  # Whether passes look for moments without a job.
  passes,
}:

# The entry's attribute name, its value, and what the host is called.
entry: runner: hostName:

let
  # By what follows the attribute's name. A single runner is named like its entry;
  # of an account's runners even a single one has a number, so that another one
  # renames nothing.
  instance =
    suffix: own:
    lib.nameValuePair "${entry}${suffix}" (
      runner
      // own
      // account
      // {
        inherit restartPolicy;
        pool = entry;
        name = "${baseName}${suffix}";
        workDir = if baseDir == null then null else "${baseDir}/${lib.removePrefix "-" suffix}";
      }
    );
  numbered =
    infix: count: own:
    map (number: instance "${infix}-${toString number}" own) (lib.range 1 count);

  # What an account's runners have for themselves.
  ownOf =
    account:
    {
      url = if account.url != null then account.url else "${server}/${account.login}";
      extraLabels = runner.extraLabels ++ lib.subtractLists runner.extraLabels account.extraLabels;
    }
    // lib.optionalAttrs (account.tokenFile != null) {
      inherit (account) tokenFile;
      githubApp = null;
    };

  inherit (import ./profiles/user.nix { inherit lib; }) nameOf;

  # What every instance shares is computed once.
  account = lib.optionalAttrs (runner.createUser && runner.user == null) {
    user = nameOf entry;
    group = if runner.group != null then runner.group else nameOf entry;
  };
  baseName = if runner.name == null then hostName else runner.name;
  baseDir = if runner.workDir == null then null else lib.removeSuffix "/" runner.workDir;
  server = lib.removeSuffix "/" runner.url;
  restartPolicy =
    if runner.restartPolicy != null then
      runner.restartPolicy
    # Nobody can ask whether such a runner is idle, or nobody does.
    else if runner.tokenType == "registration" || !passes then
      "immediate"
    else
      "when-idle";
in
if runner.orgs != { } then
  builtins.listToAttrs (
    lib.concatLists (
      lib.mapAttrsToList (org: account: numbered "-${org}" account.count (ownOf account)) runner.orgs
    )
  )
else if runner.count > 1 then
  builtins.listToAttrs (numbered "" runner.count { })
else
  {
    ${entry} =
      runner
      // account
      // {
        inherit restartPolicy;
        pool = entry;
      };
  }

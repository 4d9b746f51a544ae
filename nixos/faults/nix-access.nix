# What is wrong with what a runner's jobs are to have of the host's Nix daemon. A pure
# function over values.
{
  lib,
  # Whether there is a daemon that reads settings.
  hasNix,
  # Limits on the time of the unit that collects garbage, by their directives.
  collectionLimits,
}:

{ tell, ... }:

{
  runner,
  # The name of the unit's user, or null.
  user,
  ...
}:

let
  inherit (runner.nix)
    access
    holdGarbageCollection
    substituters
    trustedPublicKeys
    ;
  asks = access != null || substituters != [ ] || trustedPublicKeys != [ ] || holdGarbageCollection;

  isUnlimited =
    value:
    builtins.elem value [
      "infinity"
      "0"
      0
      null
    ];
  limits = lib.filterAttrs (_: value: !isUnlimited value) collectionLimits;

  # In a line of nix.conf what follows a space is another one.
  isWord = text: builtins.match "[^[:cntrl:][:space:]]+" text != null;
  isKey = text: builtins.match "[A-Za-z0-9._-]+:[A-Za-z0-9+/=]+" text != null;
  refuseEach =
    option: isGood: wayOut:
    lib.concatMap (text: tell (!isGood text) "`${option}` (${builtins.toJSON text}) ${wayOut}") (
      lib.unique (runner.nix.${lib.removePrefix "nix." option})
    );
in
{
  refused =
    tell (asks && !hasNix)
      "`nix` of the runner says something to the Nix of this host, but `nix.enable` of the host is off, so nobody would hear it. Remove one of them."
    ++
      tell (access != null && user == null)
        "`nix.access` needs the name of its user, but that of a dynamic user is known beforehand only if its unit's name has letters, digits, `_` and `-` alone and no more than 31 of them. Shorten the name of the entry, or set `user` to one that exists."
    ++
      tell (holdGarbageCollection && limits != { })
        "`nix.holdGarbageCollection` lets nix-gc.service wait for up to a day, but ${lib.concatStringsSep " and " (builtins.attrNames limits)} of that unit would end it before it collects. Remove one of them."
    ++
      refuseEach "nix.substituters" isWord
        "is empty, or holds a space or a control character. Make each address an entry of its own."
    ++
      refuseEach "nix.trustedPublicKeys" isKey
        "is no public key of Nix. Write it as `NAME:KEY`, as the cache shows it.";

  warnings =
    tell (access == "trusted" && !runner.trustJobsLikeRoot)
      "its jobs can become root, because `nix.access` is \"trusted\", and the Nix daemon lets such users name any substituter and builder. Use `nix.substituters` for a cache; or set `trustJobsLikeRoot = true`, and this is not said again.";
}

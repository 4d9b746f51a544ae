# A digest of a runner's unit as the whole configuration makes it. The steps name the
# manifest, which holds the digest, so of them only what they are made of is in it.
{
  # The package of the program that the start of a unit runs.
  helper,
  lib,
}:

# A runner, its unit, and the units that run beside it.
runner: unit: beside:

let
  # As a unit's text has it: a path is no reason to copy the file into the store.
  plain =
    value:
    if builtins.isString value then
      value
    else if builtins.isAttrs value then
      if value ? outPath || value ? __toString then toString value else builtins.mapAttrs (_: plain) value
    else if builtins.isPath value then
      toString value
    else if builtins.isList value then
      map plain value
    else
      value;

  steps = {
    ExecStartPre = null;
    ExecStop = null;
    ExecStopPost = null;
  };
  list = lib.mkOptionType {
    name = "steps";
    merge = _: lib.concatMap (definition: lib.toList definition.value);
  };
  # Those that an override adds, without its conditions.
  added = lib.filterAttrs (_: merged: merged.isDefined) (
    builtins.mapAttrs (
      name: value:
      lib.mergeDefinitions [ name ] list [
        {
          file = "serviceOverrides";
          inherit value;
        }
      ]
    ) (builtins.intersectAttrs steps runner.serviceOverrides)
  );
in
builtins.hashString "sha256" (
  builtins.unsafeDiscardStringContext (
    builtins.toJSON (
      plain (
        {
          inherit helper;
          inherit (unit) environment path unitConfig;
          serviceConfig =
            removeAttrs unit.serviceConfig (builtins.attrNames steps)
            // builtins.mapAttrs (_: merged: merged.mergedValue) added;
          ${if runner.steps == { } then null else "steps"} = runner.steps;
        }
        // lib.optionalAttrs (beside != [ ]) {
          beside = map (unit: {
            inherit (unit)
              environment
              path
              serviceConfig
              unitConfig
              ;
          }) beside;
        }
      )
    )
  )
)

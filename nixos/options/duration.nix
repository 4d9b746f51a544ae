# A time that programs count in seconds: a number of them, or as systemd.time(7) writes one unit.
{ lib }:

let
  inherit (lib) types;

  factors = {
    s = 1;
    min = 60;
    h = 60 * 60;
  };
in
{
  type = types.either types.ints.positive (types.strMatching "[1-9][0-9]{0,6}(s|min|h)");

  # The number of seconds.
  seconds =
    value:
    let
      parts = builtins.match "([0-9]+)(s|min|h)" value;
    in
    if builtins.isInt value then
      value
    else
      builtins.fromJSON (builtins.head parts) * factors.${lib.last parts};
}

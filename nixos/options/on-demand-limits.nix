# How many runners on demand there may be, for whom, and at what cost.
{ lib }:

let
  inherit (lib) mkOption types;
  duration = import ./duration.nix { inherit lib; };

  count =
    default: description:
    mkOption {
      type = types.ints.positive;
      inherit default description;
    };
in
{
  open = count 8 "Orders that are open at a time, all together. Whoever comes after is told to ask again.";

  perRepository = count 8 "Open orders of one repository.";

  perRun = count 4 "Open orders of one run of a workflow.";

  perRunEver = count 16 "Orders of one run, also those that are over.";

  forks = count 2 "Open orders of pull requests from forks, all together.";

  unproven = mkOption {
    type = types.nullOr types.ints.positive;
    default = null;
    example = 2;
    description = ''
      Open orders of repositories with the proof `none`, all together. It has to be set with that proof, because it is what strangers can
      have of this host.
    '';
  };

  waiting = count 32 "Orders that wait for their proof, all together. They have no machine yet.";

  waitingPerSource = count 8 "Orders that wait for their proof and came from one address, or one network of IPv6.";

  processors = mkOption {
    type = types.nullOr types.ints.positive;
    default = null;
    example = 32;
    description = ''
      Processors of the machines of all open orders, as their classes say. `null` sets no limit.
    '';
  };

  startsPerHour = count 60 "Machines that are asked for in an hour.";

  costPerDay = mkOption {
    type = types.nullOr (types.numbers.positive);
    default = null;
    example = 40;
    description = ''
      What machines may cost from midnight UTC to midnight, in the unit of
      {option}`services.github-runner-on-demand.classes.<name>.pricePerHour`. The most that a machine can cost is reserved before it is
      asked for, so this holds whatever happens to the host. It has to be set with a class that has a price, and so with one of kind `ec2`.
    '';
  };

  breaker = count 3 ''
    After so many machines of a class in a row that had no job, the class is paused for
    {option}`services.github-runner-on-demand.limits.pause`: something is wrong with it.
  '';

  pause = mkOption {
    inherit (duration) type;
    default = "15min";
    apply = duration.seconds;
    description = "How long a class is paused, in seconds or with one of the units `s`, `min` and `h`.";
  };
}

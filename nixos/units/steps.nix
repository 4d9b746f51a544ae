# One step of a runner's unit, with what its option puts around it or in its place, as lines of
# the directive that the step is in. A pure function over values.
runner: name: rights: line:

let
  own =
    runner.steps.${name} or {
      after = [ ];
      before = [ ];
      command = null;
      wrapper = null;
    };
  itself =
    if own.command != null then
      own.command
    else if own.wrapper != null then
      "${own.wrapper} ${line}"
    else
      line;
in
map (command: "${rights}${command}") (own.before ++ [ itself ] ++ own.after)

# What a profile that opens nothing makes of a unit.
{
  # Values that take the place of those of ../units/hardening.nix; null takes one away.
  sandbox = { };
  # Entries of directives that are lists.
  lists = { };
  environment = { };
  # What is in PATH before everything else, and after it.
  first = [ ];
  last = [ ];
  # Units that are to be there first.
  units = [ ];
  # What jobs may that those of other runners may not, in a few words each.
  may = [ ];
}

# Who runs a unit, by name; null if systemd alone knows. Takes the unit's name without
# `.service`, and how systemd reads it; see merged.nix. A pure function over values.
name:
{
  isOn,
  userName,
  ...
}:

if userName != "" then
  userName
else if !isOn "DynamicUser" then
  "root"
# As user-util.c of systemd judges names of its own; of another one it makes a hash.
else if
  builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name != null && builtins.stringLength name <= 31
then
  name
else
  null

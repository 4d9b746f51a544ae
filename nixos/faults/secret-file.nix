# What is wrong with a file whose content nobody but root may see, by its path, the fault to name first. A pure
# function.
{ lib }:

{
  # How the sentence begins: the option.
  what,
  # What is in the file.
  content,
  file,
  # The runner in whose directories a path lies, or null.
  keeperOf,
  # Whether systemd hands it to a broker.
  isHanded,
}:

let
  path = toString file;
  matches = pattern: builtins.match pattern path != null;
  hasControlCharacter = !matches "[^[:cntrl:]]*";
in
[
  {
    fault = builtins.isPath file;
    message = "${what} is a Nix path, which ends up in the store as soon as something uses it, readable by everyone. Write the path of a file on the target machine as a string, in quotes.";
  }
  {
    fault = lib.hasPrefix "${builtins.storeDir}/" path;
    message = "${what} is in the store, where everyone can read the ${content}. Keep the file elsewhere, for example with agenix or sops-nix, and give its path as a string. Consider a ${content} that has been in the store as published.";
  }
  {
    fault = keeperOf path != null;
    message = "${what} (${path}) is in a directory that systemd keeps for the runner `${toString (keeperOf path)}`, whose jobs own it and whose start deletes what is in it. Keep the file elsewhere, for example in /run/secrets.";
  }
  {
    fault = hasControlCharacter;
    message = "${what} holds a line break or another control character. Rename the file.";
  }
  # systemd 257 fails to hand such a file to a service.
  {
    fault = isHanded && matches ".*[ \\].*" && !hasControlCharacter;
    message = "${what} holds a space or a backslash, so systemd could not hand it to the broker. Rename the file.";
  }
]

# Who besides the broker of a cloud gets the role of this host, as a list of warnings. A pure function over values.
{
  lib,
  # All runners of this host by instance.
  instances,
}:

# Value of `services.github-runner-on-demand.classes`.
classes:

let
  named = keep: builtins.attrNames (lib.filterAttrs (_: keep) classes);
  byRole = named (class: class.ec2 != null && class.ec2.instanceProfile);
  here = builtins.attrNames instances ++ named (class: class.local != null || class.incus != null);
in
lib.optional (byRole != [ ] && here != [ ]) (
  "`services.github-runner-on-demand`: `classes.${builtins.head byRole}.ec2.instanceProfile` means the role of this host, which its metadata"
  + " service gives to everybody here, and so to jobs of `${builtins.head here}`. Use `credentialFile`, or let no jobs run on this host."
)

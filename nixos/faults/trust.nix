# What contradicts that nobody knows whose jobs a runner takes: each sentence names both options.
# A pure function over values.
{ lib }:

{ tell, ... }:

{ runner, merged, ... }:

let
  inherit (merged) isRoot listOf textOf;
  inherit (runner.containers) engine;

  mightyGroups =
    lib.filter
      (
        group:
        isRoot group
        || builtins.elem group [
          "disk"
          "docker"
          "incus-admin"
          "kmem"
          "libvirtd"
          "lxd"
          "podman"
          "wheel"
        ]
      )
      (
        # Of the engine's own group there is a sentence.
        lib.subtractLists (lib.optional (engine == "docker") runner.containers.group) (
          lib.concatMap (lib.splitString " ") (listOf "SupplementaryGroups" ++ [ (textOf "Group") ])
        )
      );

  contradictions = [
    {
      fault = !runner.ephemeral;
      other = "ephemeral = false";
      why = "what one job leaves, the next one finds. Set `ephemeral = true`";
    }
    {
      fault = runner.trustJobsLikeRoot;
      other = "trustJobsLikeRoot = true";
      why = "one says the opposite of the other. Remove one of them";
    }
    {
      fault = merged.runsAsRoot;
      other = if runner.user != null then "user" else "serviceOverrides.User";
      why = "jobs would be root. Leave the user out for a dynamic one";
    }
    {
      fault = runner.nix.access == "trusted";
      other = "nix.access = \"trusted\"";
      why = "jobs would be root by the Nix daemon. Use `\"allowed\"`";
    }
    {
      fault = mightyGroups != [ ];
      other = "serviceOverrides.SupplementaryGroups";
      why = "jobs would be root by the group ${lib.concatStringsSep " and " mightyGroups}. Take them out";
    }
    {
      fault = runner.sandbox.sudo;
      other = "sandbox.sudo";
      why = "jobs would be root. Remove one of them";
    }
    {
      fault = runner.sandbox.namespaces;
      other = "sandbox.namespaces";
      why = "jobs would reach parts of the kernel that had holes more often than others. Remove one of them";
    }
    {
      fault = engine == "docker";
      other = "containers.engine = \"docker\"";
      why = "jobs would be root by its socket. Remove one of them; for containers use a machine for each job, see `services.github-runner-on-demand`";
    }
    {
      fault = engine == "podman";
      other = "containers.engine = \"podman\"";
      why = "jobs would reach the kernel without a filter of system calls, and programs with the setuid bit. Remove one of them; for containers use a machine for each job, see `services.github-runner-on-demand`";
    }
    {
      fault = runner.devices != [ ];
      other = "devices";
      why = "jobs would talk to drivers of the kernel. Remove one of them";
    }
    {
      fault = runner.kvm;
      other = "kvm";
      why = "jobs would talk to a driver of the kernel. Remove one of them";
    }
    {
      fault = runner.deviceGroups != [ ];
      other = "deviceGroups";
      why = "jobs would have what belongs to these groups. Remove one of them";
    }
    {
      fault = runner.cacheDirectory != null;
      other = "cacheDirectory";
      why = "what one job writes there, the next one runs. Remove one of them";
    }
    {
      fault = runner.cleanWorkDir == "never";
      other = "cleanWorkDir = \"never\"";
      why = "what one job leaves, the next one finds. Remove one of them";
    }
    {
      fault = runner.createUser;
      other = "createUser";
      why = "what one job writes in its home, the next one runs. Leave the user out for a dynamic one";
    }
    {
      fault = runner.workDir != null;
      other = "workDir";
      why = "a job could fill a disk that it shares. The directory in memory has `workDirSize`; remove one of them";
    }
    {
      fault = runner.exposeSystemServices;
      other = "exposeSystemServices";
      why = "jobs could leave processes to jobs after them. Remove one of them";
    }
  ];
in
lib.optionals (runner.trust == "untrusted") (
  lib.concatMap (
    {
      fault,
      other,
      why,
    }:
    tell fault "`trust = \"untrusted\"` and `${other}` contradict each other, because ${why}."
  ) contradictions
)

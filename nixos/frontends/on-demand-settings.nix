# The settings of runners on demand, as src/frontend/ondemand/settings.rs reads them (version 1). A pure function of the
# options. What is not configured is not in it.
{ lib }:

{
  # Value of `services.github-runner-on-demand`.
  options,
  # Class → what its machines are made by, for those of this host.
  localOf,
  # Class of kind `ec2` → the socket of its broker.
  cloudBrokerOf,
  # Path of the manifest of the broker that looks things up, and its socket.
  manifest,
  broker,
  # The sandbox of brokers of orders.
  brokerProperties,
  # Value of `services.github-runnerctl.metrics.textfileDirectory`.
  textfileDirectory,
}:

let
  given = lib.filterAttrs (_: value: value != null);
  ec2 = import ./on-demand-ec2.nix { inherit lib; };
  hasOwnKernel = import ./on-demand-own-kernel.nix;

  # In ten-thousandths, rounded up, but not by what a fraction is not exactly.
  cost = value: if value == null then null else builtins.ceil (value * 10000 - 1.0e-6);

  kindOf =
    name: class:
    if class.local != null then
      { local = localOf name; }
    else if class.nspawn != null then
      { nspawn = { inherit (class.nspawn) image; }; }
    else if class.ec2 != null then
      {
        ec2 = ec2.kind {
          broker = cloudBrokerOf name;
          inherit (class) ec2;
        };
      }
    else
      {
        incus = given {
          inherit (class.incus)
            cpu
            disk
            image
            memory
            profiles
            project
            virtualMachine
            ;
          socket = toString class.incus.socket;
        };
      };
in
given {
  version = 1;
  inherit (options) address prefix;
  compatiblePrefix = options.compatible.prefix;
  inherit broker brokerProperties manifest;
  repositories = lib.mapAttrsToList (
    name: repository:
    given {
      inherit name;
      inherit (repository) forks id proofs;
      owner = repository.ownerId;
    }
  ) options.repositories;
  classes = builtins.mapAttrs (name: class: {
    inherit (class)
      architecture
      max
      noJob
      notOnline
      processors
      ttl
      ;
    pricePerHour = cost class.pricePerHour;
    forks = if class.allowForks != null then class.allowForks else hasOwnKernel class;
    kind = kindOf name class;
  }) options.classes;
  limits = given (options.limits // { costPerDay = cost options.limits.costPerDay; });
  textfileDirectory = if textfileDirectory == null then null else toString textfileDirectory;
}

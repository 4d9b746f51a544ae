# The key `machines` of the settings file, as src/machines/nspawn/settings.rs reads it. A pure function of
# the options, whose names it has. What is not configured is not in it.
{ lib }:

{
  # Value of `services.ci-machines.images`.
  images,
  # Value of the front end's options.
  options,
}:

let
  given = lib.filterAttrs (_: value: value != null);
in
given {
  images = builtins.mapAttrs (
    _: image:
    given {
      inherit (image) boot nixDaemon;
      # Interpolating a path would copy the whole image into the store.
      root = if image.root == null then null else toString image.root;
      system = if image.system == null then null else "${image.system}";
    }
  ) images;
  limits = given {
    inherit (options.limits)
      cpuWeight
      ioWeight
      memory
      tasks
      tmpfs
      ;
  };
  network = {
    inherit (options.network) hostPorts mode resolvers;
  };
  cache =
    if options.cache == null then
      null
    else
      {
        directory = toString options.cache.directory;
        inherit (options.cache) limit;
      };
  gitlabRunner = if options.gitlabRunner == null then null else toString options.gitlabRunner;
  inherit (options) devices slots uidBase;
}

# What is wrong with machines for jobs of GitLab, as a list of NixOS assertions. A pure function over
# values. What a single value can be wrong about, such as a strange path, is found by the program
# itself in the build of the settings.
{
  lib,
  # Whether this host has a Nix daemon.
  hasNix,
  # Value of `users.users`.
  users,
}:

{
  images,
  # Value of `services.gitlab-nspawn`.
  options,
}:

let
  refuse = fault: message: {
    assertion = !fault;
    inherit message;
  };
  names = lib.concatMapStringsSep ", " (name: "`${name}`") (builtins.attrNames images);

  ofImage =
    name: image:
    let
      refuseImage = fault: message: refuse fault "`services.ci-machines.images.${name}`: ${message}";
      isSystem = image.system != null;
    in
    [
      (refuseImage (image.root == null && !isSystem)
        "it has neither `root` nor `system`. Set one of them: a directory with a root file system, or a NixOS system."
      )
      (refuseImage (
        image.root != null && isSystem
      ) "it has both `root` and `system`. Remove one of them, or make two images of it.")
      (refuseImage (isSystem && !image.boot)
        "a `system` needs `boot`, because its programs are in no place before its init ran. Remove `boot`, or use a `root`."
      )
      (refuseImage (
        image.nixDaemon && !hasNix
      ) "`nixDaemon` needs the Nix daemon of the host, and `nix.enable` is off. Turn one of them around.")
    ];

  range = 65536;
  first = options.uidBase;
  end = first + range * (options.slots + 1);
  # systemd's range for foreign images begins here.
  foreign = 2147352576;
  rangesOf =
    user:
    map (one: {
      start = one.startUid;
      inherit (one) count;
    }) (user.subUidRanges or [ ])
    ++ map (one: {
      start = one.startGid;
      inherit (one) count;
    }) (user.subGidRanges or [ ]);
  overlaps = { start, count }: start < end && start + count > first;
  ofUser =
    name: user:
    refuse (lib.any overlaps (rangesOf user)) "`services.gitlab-nspawn.uidBase`: machines have the ids ${toString first} to ${toString (end - 1)}, of which `users.users.${name}` has some in `subUidRanges` or `subGidRanges`. Change one of them.";
in
[
  (refuse (images == { })
    "`services.gitlab-nspawn` has no image, so no job could run. Add one to `services.ci-machines.images`."
  )
  (refuse (options.defaultImage != null && !images ? ${options.defaultImage})
    "`services.gitlab-nspawn.defaultImage` is `${toString options.defaultImage}`, which is none of `services.ci-machines.images`. Use one of ${names}, or add it there."
  )
  (refuse (
    first / range * range != first
  ) "`services.gitlab-nspawn.uidBase` is no multiple of 65536. The usual one is 1879048192.")
  (refuse (end > foreign)
    "`services.gitlab-nspawn.uidBase` and `slots` reach to the id ${toString (end - 1)}, into the range of systemd from ${toString foreign} on. Lower one of them."
  )
]
++ lib.concatLists (lib.mapAttrsToList ofImage images)
++ lib.mapAttrsToList ofUser users

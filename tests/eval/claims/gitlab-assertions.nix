# Machines for jobs of GitLab that are refused, by what the message says, and their neighbours that
# are not.
{
  lib,
  pkgs,
  host,
  ...
}:

let
  inherit (import ../machines.nix { inherit host pkgs; })
    gitlab
    hostWith
    image
    plain
    settingsOf
    system
    ;

  # Exactly one message, with the fault in it.
  fires =
    changes: fault:
    let
      messages = (plain changes).failures;
    in
    {
      expected = [ ];
      actual =
        if builtins.length messages == 1 && lib.hasInfix fault (builtins.head messages) then
          [ ]
        else
          messages ++ [ "which should be one message with: ${fault}" ];
    };
  evaluates =
    changes: (builtins.tryEval (builtins.deepSeq (settingsOf (plain changes)).text true)).success;
in
{
  "machines without an image are refused" = {
    expected = [
      "`services.gitlab-nspawn` has no image, so no job could run. Add one to `services.ci-machines.images`."
    ];
    actual = (hostWith { services.gitlab-nspawn.enable = true; }).failures;
  };
  "a default image that is none is refused with the list of images" = fires (gitlab {
    defaultImage = "fedora";
  }) "Use one of `debian`, or add it there.";
  "an image from nowhere is refused" = fires (image
    { }
  ) "`services.ci-machines.images.other`: it has neither `root` nor `system`";
  "an image from two places is refused" = fires (image {
    inherit system;
    root = "/image";
  }) "it has both `root` and `system`";
  "a system without its init is refused" = fires (image {
    inherit system;
    boot = false;
  }) "a `system` needs `boot`";
  "a directory without its init is accepted" = {
    expected = [ ];
    actual =
      (plain (image {
        root = "/image";
        boot = false;
      })).failures;
  };
  "the Nix daemon of a host without one is refused" = fires {
    imports = [
      (image {
        root = "/image";
        nixDaemon = true;
      })
    ];
    nix.enable = false;
  } "`nix.enable` is off";
  "ids between two ranges are refused" = fires (gitlab { uidBase = 100000; }) "no multiple of 65536";
  "ids that reach into systemd's are refused" = fires (gitlab {
    uidBase = 2147287040;
  }) "Lower one of them";
  "ids of a user are refused with the user's name" = fires {
    users.users.builder.subUidRanges = [
      {
        startUid = 1879113728;
        count = 65536;
      }
    ];
  } "of which `users.users.builder` has some";
  "group ids of a user are refused as well" = fires {
    users.users.builder.subGidRanges = [
      {
        startGid = 1879048191;
        count = 2;
      }
    ];
  } "of which `users.users.builder` has some";
  "ids of a user right beside those of machines are accepted" = {
    expected = [ ];
    actual =
      (plain {
        users.users.builder.subUidRanges = [
          {
            startUid = 1878982656;
            count = 65536;
          }
          {
            startUid = 1879048192 + 65536 * 257;
            count = 65536;
          }
        ];
      }).failures;
  };

  "values that no machine could have are refused by their types" = {
    expected = [ ];
    actual = lib.filter (changes: evaluates (gitlab changes)) [
      { limits.memory = "much"; }
      { limits.memory = "4 G"; }
      { limits.tmpfs = "1G,mode=777"; }
      { limits.tasks = 0; }
      { limits.cpuWeight = 0; }
      { limits.ioWeight = 10001; }
      { network.mode = "bridge"; }
      { network.hostPorts.tcp = [ 65536 ]; }
      { devices = [ "/etc/passwd" ]; }
      { devices = [ "/dev/kvm rw" ]; }
      { cache = { }; }
      { cache.limit = 0; }
      { grace = 0; }
      { grace = 601; }
      { slots = 0; }
      { slots = 1025; }
      { uidBase = 0; }
    ];
  };
  "values beside them are accepted" = {
    expected = [ ];
    actual = lib.filter (changes: !evaluates (gitlab changes)) [
      { limits.memory = "50%"; }
      { limits.memory = "1073741824"; }
      { limits.cpuWeight = 10000; }
      { network.mode = "none"; }
      { cache.limit = 1; }
      { grace = 600; }
      { slots = 1024; }
      { devices = [ "/dev/dri/renderD128" ]; }
    ];
  };
}

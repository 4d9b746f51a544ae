# What programs that jobs download find of the host: a loader where other systems have theirs, and
# libraries. As a part of `programs`. A pure function over values and packages.
{ lib, pkgs }:

entries:

lib.optionalAttrs (lib.any (runner: runner.hostedToolchains) (builtins.attrValues entries)) {
  nix-ld = {
    enable = lib.mkDefault true;
    # What the languages of `setup-*` actions are linked with. Some of it NixOS has by itself, but not in
    # each release. Last, so that libraries that the host names win.
    libraries = lib.mkAfter [
      # libstdc++, libgcc_s and libatomic.
      pkgs.stdenv.cc.cc
      pkgs.bzip2
      pkgs.expat
      pkgs.gmp
      pkgs.icu
      pkgs.krb5
      pkgs.libffi
      pkgs.libxcrypt-legacy
      pkgs.libxml2
      pkgs.ncurses
      pkgs.openssl
      pkgs.readline
      pkgs.sqlite
      pkgs.util-linux
      pkgs.xz
      pkgs.zlib
      pkgs.zstd
    ];
  };
}

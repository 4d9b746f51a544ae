# The image of a container of Incus for runners of GARM: nixpkgs' one with what GARM expects, as `config.system.build.garmImage`
# with the two files that Incus imports.
{
  config,
  modulesPath,
  pkgs,
  ...
}:

{
  imports = [
    "${modulesPath}/virtualisation/lxc-container.nix"
    ./runner-garm.nix
  ];

  # Names of these files differ between releases of nixpkgs.
  system.build.garmImage = pkgs.runCommand "garm-image-container" { } ''
    mkdir $out
    ln -s ${config.system.build.metadata}/tarball/*.tar.xz $out/metadata.tar.xz
    root=${config.system.build.squashfs}
    [ -f $root ] || root=$(echo $root/*.squashfs)
    ln -s $root $out/root
  '';
}

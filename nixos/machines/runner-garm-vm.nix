# The image of a virtual machine of Incus for runners of GARM, as runner-garm-container.nix for containers.
{
  config,
  modulesPath,
  pkgs,
  ...
}:

{
  imports = [
    "${modulesPath}/virtualisation/incus-virtual-machine.nix"
    ./runner-garm.nix
  ];

  # The agent brings the socket by which cloud-init finds its data.
  systemd.services.cloud-init-local = {
    wants = [ "incus-agent.service" ];
    after = [ "incus-agent.service" ];
  };

  system.build.garmImage = pkgs.runCommand "garm-image-vm" { } ''
    mkdir $out
    ln -s ${config.system.build.metadata}/tarball/*.tar.xz $out/metadata.tar.xz
    ln -s ${config.system.build.qemuImage}/*.qcow2 $out/root
  '';
}
